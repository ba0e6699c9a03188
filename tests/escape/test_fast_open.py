"""Connects by sending, which Landlock's TCP rules do not cover."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
one, other = socket.socketpair()
syscall('sendto', one.fileno(), ctypes.c_char_p(b'x'), 1, 0x20000000, ctypes.c_char_p(bytes(16)), 16)
""",
        raises="PermissionError",
    )
)
