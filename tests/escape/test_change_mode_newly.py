"""Changes a file's mode by the newest call for it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import ctypes
syscall('fchmodat2', -100, ctypes.c_char_p(world['secret'].encode()), 0o666, 0)
""",
        raises="OSError",
    )
)
