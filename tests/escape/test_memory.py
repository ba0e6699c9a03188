"""Takes more memory than it may."""

from tests.escape.attack import Attack, blocked
from toolcell.model.errors import Reason

test_it_is_blocked_and_recorded = blocked(
    Attack("kept = [bytearray(16 << 20) for _ in range(20)]", reason=Reason.HANDLER_OOM, works=True)
)
