"""Uses the kernel's keys."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('keyctl', 0, -3, 0)", kills=True))
