"""Speaks to the host of a virtual machine."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)", raises="PermissionError")
)
