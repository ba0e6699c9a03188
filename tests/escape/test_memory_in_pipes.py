"""Takes the kernel's memory by enlarging pipes."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import fcntl
fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)
""",
        raises="PermissionError",
        works=True,
    )
)
