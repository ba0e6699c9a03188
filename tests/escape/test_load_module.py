"""Loads a module into the kernel."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('init_module', 0, 0, 0)", kills=True))
