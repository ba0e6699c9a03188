"""Makes a socket of the kernel's cryptography, known for its holes."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)", raises="PermissionError")
)
