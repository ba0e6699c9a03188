"""Takes shared memory from a device, which the limit does not count."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import mmap
mmap.mmap(os.open('/dev/zero', os.O_RDWR), 1 << 20)
""",
        raises="PermissionError",
        works=True,
    )
)
