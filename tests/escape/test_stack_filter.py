"""Puts a filter of its own on, to change what later calls answer."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('seccomp', 1, 0, 0)", kills=True))
