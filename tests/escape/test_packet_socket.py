"""Makes a socket that sees the network's frames."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", raises="PermissionError")
)
