"""Follows the events of the whole server, live from memory and before that from the database.

Everybody pulls: what is written wakes those who wait, at most so often that telling them leaves the loop time
for calls, and each reads on from its own number. One that is slow finds its number forgotten by the ring and
reads the database until it has caught up. An event is told only once it survives the death of the process.

Everything here belongs to one thread, the event loop's.
"""

import asyncio
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

from toolcell.model.errors import CursorInvalid, Violation
from toolcell.store.drain import Drain
from toolcell.store.happenings import Batch, EventFilter, Happening, Subject
from toolcell.store.history import History
from toolcell.store.ring import Ring
from toolcell.store.spool import Spool

_LINGER_SECONDS: Final = 0.001
"""How long an event waits for company: a short call's start and end are one message."""

_SPACING_SECONDS: Final = 25e-6
"""The least time between two wake-ups, for each that is woken: about what telling one takes."""

_QUIET: Final = 10_000
"""After so many numbers without a matching event a batch without events brings the cursor up to date."""

_LOOK: Final = 4096  # slots looked at before others have their turn
_BATCH_EVENTS: Final = 256
_BATCH_BYTES: Final = 32 << 10
_EVENT_BYTES: Final = 256
"""What an event costs in a batch besides its body."""

_BEGINNING: Final = "0"
_BEFORE_ALL: Final = -1
_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9a-f]{1,16})")


class Stream:
    """Tells what is written; `marks` are the database's own (see migrations/m0003)."""

    def __init__(self, spool: Spool, drain: Drain, history: History, marks: Mapping[str, int]) -> None:
        self.spool, self.drain, self.history = spool, drain, history
        self.ring = Ring()
        self._name = f"{marks['store']:x}"
        self._waiting: set[asyncio.Future[None]] = set()
        self._places: set[Place] = set()
        self._due: asyncio.TimerHandle | None = None
        self._told_time = 0.0

    @property
    def is_followed(self) -> bool:
        """Tells whether anybody follows; when nobody does, nothing needs to be published."""
        return bool(self._places)

    def follow(self, chosen: EventFilter, cursor: str, *, is_endless: bool) -> "Place":
        """Takes a place after a cursor. Raises CursorInvalid."""
        after = self._read(cursor)
        if not self._places:
            self.ring.open(self.spool.last)
        place = Place(self, chosen, after, until=None if is_endless else self.spool.settled)
        self._places.add(place)
        return place

    def publish(
        self, sequence: int, subject: Subject, row: Mapping[str, Any], *, is_failure: bool = False
    ) -> None:
        """Tells of an event by its row, as `rows.event_row` makes it; the spool has it."""
        if self._places:
            self.ring.add(Happening(sequence, subject, row["time"], row["kind"], row["body"], is_failure))
            self.wake()

    def wake(self) -> None:
        """Wakes everybody who waits, soon, and not before the last time is long enough ago."""
        if self._due is None and self._waiting:
            loop = asyncio.get_running_loop()
            rested = self._told_time + _SPACING_SECONDS * len(self._waiting)
            self._due = loop.call_at(max(rested, loop.time() + _LINGER_SECONDS), self._tell)

    async def wait(self) -> None:
        """Returns when something was written."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(told)
        try:
            await told
        finally:
            self._waiting.discard(told)

    def leave(self, place: "Place") -> None:
        """Forgets a place; with the last one the memory of events goes too."""
        self._places.discard(place)
        if not self._places:
            self.ring.close()

    def cursor(self, sequence: int) -> str:
        """Writes a cursor."""
        return _BEGINNING if sequence == _BEFORE_ALL else f"{sequence}-{self._name}"

    def _tell(self) -> None:
        self._due = None
        self._told_time = asyncio.get_running_loop().time()
        waiting, self._waiting = self._waiting, set()
        for told in waiting:
            if not told.done():
                told.set_result(None)

    def _read(self, cursor: str) -> int:
        if cursor in ("", _BEGINNING):
            return _BEFORE_ALL if cursor else self.spool.settled
        found = _CURSOR.fullmatch(cursor)
        if found and found[2] == self._name and int(found[1]) <= self.spool.last:
            return int(found[1])
        raise CursorInvalid(
            "The cursor is not one this server gave. Send a cursor of StreamTrace unchanged to the server "
            'that gave it; "" to begin now, or "0" to begin with the oldest event that is kept.',
            violations=[Violation("cursor", "must be a cursor of StreamTrace", "CURSOR_INVALID")],
        )


class Place:
    """One follower's place; see `happenings.Following`."""

    def __init__(self, stream: Stream, chosen: EventFilter, after: int, *, until: int | None) -> None:
        self._stream, self._chosen = stream, chosen
        self._after, self._until = after, until
        self._told: int | None = None  # the number of the last cursor that was given
        self._forgiven: int | None = (
            None if after == _BEFORE_ALL else 0
        )  # "the oldest that is kept" has no gap
        self._rows = _BATCH_EVENTS

    def __aiter__(self) -> "Place":
        return self

    async def __anext__(self) -> Batch:
        if self._told is None:
            return self._batch([])
        while self._until is None or self._after < self._until:
            batch = await self._next()
            if batch is not None:
                return batch
        if self._told < self._after:
            return self._batch([])
        raise StopAsyncIteration

    def cursor_after(self, sequence: int) -> str:
        """Returns the cursor that resumes after an event."""
        return self._stream.cursor(sequence)

    def finish(self) -> None:
        """Has the stream end after what has happened until now."""
        if self._until is None:
            self._until = self._stream.spool.settled
            self._stream.wake()

    def close(self) -> None:
        """Gives the place up."""
        self._stream.leave(self)

    async def _next(self) -> Batch | None:
        """Reads on, or waits; returns None when there is nothing to tell yet."""
        stream = self._stream
        settled = stream.spool.settled
        if self._after >= settled:
            if settled < stream.spool.last:  # what no file could take waits for the database
                await stream.drain.reach(stream.spool.last)
            else:
                await stream.wait()
            return None
        until = settled if self._until is None else min(settled, self._until)
        if self._after + 1 < stream.ring.first:
            return await self._from_database(min(until, stream.ring.first - 1))
        return await self._from_ring(until)

    async def _from_ring(self, end: int) -> Batch | None:
        takes, found, room = self._chosen.takes, list[Happening](), _BATCH_BYTES
        until = min(end, self._after + _LOOK)
        for happening in self._stream.ring.after(self._after, until):
            if not takes(happening):
                continue
            room -= _cost(happening)
            if found and (room < 0 or len(found) == _BATCH_EVENTS):
                until = happening.sequence - 1
                break
            found.append(happening)
        self._after = until
        if not found and until < end:
            await asyncio.sleep(0)
        return self._worth_telling(found)

    async def _from_database(self, until: int) -> Batch | None:
        stream = self._stream
        if self._after >= stream.spool.drained_to:
            await stream.drain.reach(until)
        if self._forgiven is None:
            self._forgiven = await stream.history.pruned()
        until = min(until, stream.spool.drained_to)
        page = await stream.history.read(self._chosen, self._after, until, self._rows)
        if page.pruned > max(self._after, self._forgiven):
            gap = (self._after + 1, page.pruned)
            self._after = page.pruned
            return self._batch([], gap)
        found = _fitting(page.events)
        is_cut = len(found) < len(page.events)
        self._rows = min(_BATCH_EVENTS, 2 * len(found)) if is_cut else _BATCH_EVENTS
        self._after = found[-1].sequence if is_cut else page.end
        return self._worth_telling(found)

    def _worth_telling(self, found: list[Happening]) -> Batch | None:
        """Returns a batch of what was found; None when there is nothing, and not for long."""
        return self._batch(found) if found or self._after - (self._told or 0) >= _QUIET else None

    def _batch(self, events: list[Happening], gap: tuple[int, int] | None = None) -> Batch:
        self._told = self._after
        is_behind = self._after < self._stream.spool.settled
        return Batch(events, self._stream.cursor(self._after), gap, is_behind)


def _cost(happening: Happening) -> int:
    return _EVENT_BYTES + len(happening.body)


def _fitting(events: list[Happening]) -> list[Happening]:
    """Returns the first events, as many as fit into a batch, at least one if there is one."""
    sizes = accumulate(_cost(each) for each in events)
    return events[: max(1, sum(size <= _BATCH_BYTES for size in sizes))]
