"""Takes memory by growing what it has."""

from tests.escape.attack import Attack, blocked
from toolcell.model.errors import Reason

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
kept = bytearray()
while len(kept) < 320 << 20: kept += bytes(1 << 20)
""",
        reason=Reason.HANDLER_OOM,
        works=True,
    )
)
