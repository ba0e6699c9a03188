"""Connects to a socket with a path, which Landlock does not cover."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
link = socket.socket(socket.AF_UNIX)
link.connect(world['stream'])
""",
        raises="PermissionError",
        works=True,
    )
)
