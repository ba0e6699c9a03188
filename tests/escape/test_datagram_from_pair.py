"""Sends from one of a pair of datagram sockets to a socket with a path."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
one.sendto(b'x', world['datagram'])
""",
        raises="PermissionError",
        works=True,
    )
)
