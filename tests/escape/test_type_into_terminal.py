"""Types into a terminal."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import fcntl
fcntl.ioctl(0, 0x5412, b'x')
""",
        raises="OSError",
    )
)
