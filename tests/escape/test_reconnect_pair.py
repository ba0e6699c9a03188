"""Connects one of a pair of sockets anew."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
one, other = socket.socketpair()
one.connect(world['stream'])
""",
        raises="PermissionError",
    )
)
