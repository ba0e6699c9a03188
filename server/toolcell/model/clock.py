"""Time as a dependency, so that tests can move it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time two ways; lengths of time are measured on `monotonic` only."""

    def wall(self) -> int:
        """Returns microseconds since the Unix epoch; may jump."""
        ...

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> int:
        """Returns microseconds since the Unix epoch."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Returns seconds on CLOCK_MONOTONIC."""
        return time.monotonic()
