"""The newest events of the whole server, in memory: what those who follow live read from.

Sequence numbers without an event take a slot too, so that an event is found by its number. Bounded in count
and bytes: the oldest go first. Closed, it keeps nothing: that is so while nobody follows.
"""

from collections.abc import Iterator
from typing import Final

from toolcell.store.happenings import Happening

_COUNT: Final = 1 << 16
_LIMIT_BYTES: Final = 32 << 20
SLOT_BYTES: Final = 600
"""What an event costs besides its body: its objects, counted generously."""


class Ring:
    """Keeps the events from `first` to `last`; empty when `first` is above `last`."""

    def __init__(self, *, count: int = _COUNT, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._count, self._limit = count, limit_bytes
        self._slots: list[Happening | None] = []
        self._bytes = 0
        self.first, self.last = 1, 0

    @property
    def is_open(self) -> bool:
        """Tells whether events are kept."""
        return bool(self._slots)

    def open(self, last: int) -> None:
        """Starts to keep events, from the number after `last` on."""
        self._slots = [None] * self._count
        self._bytes = 0
        self.first, self.last = last + 1, last

    def close(self) -> None:
        """Forgets everything."""
        self._slots = []

    def add(self, happening: Happening) -> None:
        """Keeps an event; its number is above the last one's."""
        while self.first <= happening.sequence - self._count:
            self._forget()
        self._slots[happening.sequence % self._count] = happening
        self._bytes += _size(happening)
        self.last = happening.sequence
        while self._bytes > self._limit:
            self._forget()

    def after(self, sequence: int, until: int) -> Iterator[Happening]:
        """Yields the events after a number, up to `until`; none of these numbers may have been forgotten."""
        for number in range(sequence + 1, min(until, self.last) + 1):
            happening = self._slots[number % self._count]
            if happening is not None:
                yield happening

    def _forget(self) -> None:
        place = self.first % self._count
        oldest = self._slots[place]
        if oldest is not None:
            self._bytes -= _size(oldest)
            self._slots[place] = None
        self.first += 1


def _size(happening: Happening) -> int:
    return SLOT_BYTES + len(happening.body)
