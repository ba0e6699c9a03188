"""Reads what the kernel says of processes."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open('/proc/self/status').read()", raises="PermissionError", works=True)
)
