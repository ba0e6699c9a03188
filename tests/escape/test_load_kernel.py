"""Loads another kernel."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('kexec_load', 0, 0, 0, 0)", kills=True))
