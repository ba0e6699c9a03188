"""Makes an SCTP socket, which Landlock's TCP rules do not cover."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)", raises="PermissionError")
)
