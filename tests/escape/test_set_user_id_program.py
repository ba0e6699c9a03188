"""Runs a program as its owner."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.execv('/bin/su', ['su'])", raises="PermissionError"))
