"""Makes itself readable to processes of the same user."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import ctypes
if libc.prctl(4, 1, 0, 0, 0) < 0: raise PermissionError(ctypes.get_errno())
""",
        raises="PermissionError",
        works=True,
    )
)
