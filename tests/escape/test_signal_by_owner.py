"""Has the kernel signal the server when a descriptor is ready."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import fcntl
fcntl.fcntl(0, fcntl.F_SETOWN, world['server'])
""",
        raises="PermissionError",
        works=True,
    )
)
