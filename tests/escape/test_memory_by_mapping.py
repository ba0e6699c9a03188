"""Takes memory by mapping it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import mmap
kept = [mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(16)]
""",
        raises="OSError",
        works=True,
    )
)
