"""Handles page faults, a way into races in the kernel."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('userfaultfd', 0)", kills=True))
