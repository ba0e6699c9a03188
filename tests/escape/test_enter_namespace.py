"""Enters another process's namespace."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('setns', 0, 0)", kills=True))
