"""Asks not to be killed with the zygote."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import ctypes
if libc.prctl(1, 0, 0, 0, 0) < 0: raise PermissionError(ctypes.get_errno())
""",
        raises="PermissionError",
        works=True,
    )
)
