"""Reads what the kernel says of the machine."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.listdir('/sys/kernel')", raises="PermissionError", works=True)
)
