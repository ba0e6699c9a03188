"""Loads a program into the kernel."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('bpf', 0, 0, 0)", kills=True))
