"""Gives itself capabilities."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('capset', 0, 0)", kills=True))
