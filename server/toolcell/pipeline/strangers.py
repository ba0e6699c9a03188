"""Who was turned away at the gate: counted, never stored, and told to the operator from time to time."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from toolcell.model.clock import Clock
from toolcell.model.errors import Reason

_EVERY_SECONDS: Final = 60.0


class Strangers:
    """Counts refusals by reason and tells them: the first at once, later ones once a minute."""

    def __init__(self, clock: Clock, tell: Callable[[Mapping[Reason, int]], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._counts: Counter[Reason] = Counter()
        self._quiet_until = clock.monotonic()

    def count(self, reason: Reason) -> None:
        """Counts a request that showed no valid token."""
        self._counts[reason] += 1
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            counts, self._counts = self._counts, Counter()
            self._quiet_until = now + _EVERY_SECONDS
            self._tell(counts)
