"""Keeps memory from being swapped."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('mlockall', 1)", raises="PermissionError"))
