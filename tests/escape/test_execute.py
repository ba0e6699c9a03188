"""Becomes another program."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.execv('/bin/true', ['true'])", raises="PermissionError"))
