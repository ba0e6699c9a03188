"""Speaks to the kernel's network configuration."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", raises="PermissionError", works=True)
)
