"""Reads the kernel's log."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('syslog', 10, 0, 0)", kills=True, works=True, as_root=True)
)
