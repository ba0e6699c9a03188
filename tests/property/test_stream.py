"""Whatever happens, every reader sees every event exactly once, in order, or is told the gap it lies in."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.store.samples import DAY, StillClock, ended, invocation, log, open_on
from toolcell.model.span import Invocation
from toolcell.store.happenings import EventFilter, Following
from toolcell.store.lifecycle import Store
from toolcell.store.ring import Ring

READERS = 3
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 12), st.sampled_from([10, 3000, 40_000])),
        st.tuples(st.just("begin")),
        st.tuples(st.just("log")),
        st.tuples(st.just("end")),
        st.tuples(st.just("read"), st.integers(0, READERS - 1), st.integers(1, 20)),
        st.tuples(st.just("drain")),
        st.tuples(st.just("prune")),
        st.tuples(st.just("restart"), st.booleans()),
    ),
    max_size=25,
)


@dataclass
class Reader:
    """One that reads a batch for each permit, and what it saw. `start` is the number it began after.

    What was `pruned` before one that begins with the oldest event had any is `forgiven`: no gap to it.
    """

    cursor: str
    start: int
    pruned: set[int]
    forgiven: set[int] = field(default_factory=set)
    seen: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    place: Following | None = None
    task: asyncio.Task[None] | None = None

    def open(self, store: Store) -> None:
        self.place = store.traces.follow(EventFilter(), self.cursor, is_endless=True)
        self.task = asyncio.create_task(self._read(self.place))

    async def close(self) -> None:
        """Goes away in the midst of whatever it does."""
        assert self.place is not None
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.place.close()

    async def read_to_the_end(self) -> None:
        assert self.place is not None
        assert self.task is not None
        self.place.finish()
        for _ in range(10_000):
            self.permits.release()
        await self.task
        self.place.close()

    async def _read(self, place: Following) -> None:
        async for batch in place:
            self.seen += [event.sequence for event in batch.events]
            self.gaps += [batch.gap] if batch.gap else []
            if self.cursor == "0" != batch.cursor:
                self.forgiven = set(self.pruned)
            self.cursor = batch.cursor
            await self.permits.acquire()


@dataclass
class World:
    """A store, its readers, and the numbers of all events that were written, kept or pruned."""

    directory: Path
    clock: StillClock
    store: Store
    readers: list[Reader] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    pruned: set[int] = field(default_factory=set)
    running: dict[str, tuple[Invocation, list[int]]] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)

    def begin(self) -> None:
        record = invocation(create_time=self.clock.now)
        self.store.traces.begin(record, retry_safe=True)
        self.running[record.invocation_id] = (record, [self._number()])

    def log(self, size: int = 10) -> None:
        for record, numbers in list(self.running.values())[:1]:
            self.store.traces.append(record.invocation_id, log("x" * size))
            numbers.append(self._number())

    def end(self) -> None:
        for key in list(self.running)[:1]:
            record, numbers = self.running.pop(key)
            self.store.traces.end(ended(record, end_time=self.clock.now))
            self.finished |= {*numbers, self._number()}

    def call(self, logs: int, size: int) -> None:
        self.begin()
        key = next(reversed(self.running))
        self.running = {key: self.running.pop(key), **self.running}
        for _ in range(logs):
            self.log(size)
        self.end()

    async def read(self, index: int, count: int) -> None:
        for _ in range(count):
            self.readers[index].permits.release()
            await asyncio.sleep(0)

    async def drain(self) -> None:
        await self.store.traces.get("inv_none")

    async def prune(self) -> None:
        await self.drain()
        self.clock.now += 8 * DAY
        await self.store.pruner.prune()
        self.pruned |= self.finished

    async def restart(self, is_clean: bool) -> None:
        for reader in self.readers:
            await reader.close()
        if is_clean:
            await self.store.close()
        else:
            await leave_as_dead(self.store)
        self.store = await opened(self.directory, self.clock)
        last = self.store.stream.spool.last
        for offset, (_, numbers) in enumerate(self.running.values()):
            number = last - len(self.running) + 1 + offset
            self.written.append(number)
            self.finished |= {*numbers, number}
        self.running = {}
        for reader in self.readers:
            reader.open(self.store)

    def _number(self) -> int:
        self.written.append(self.store.stream.spool.last)
        return self.written[-1]


async def opened(directory: Path, clock: StillClock) -> Store:
    """Opens a store whose memory of events is so small that readers leave it often."""
    store = await open_on("sqlite-file", directory, clock=clock)
    await store.pruner.close()  # it prunes when the test says so
    store.stream.ring = Ring(count=16, limit_bytes=60_000)
    return store


async def leave_as_dead(store: Store) -> None:
    """Lets go of everything without writing anything more."""
    await store.pruner.close()
    store._drain._task.cancel()
    await asyncio.gather(store._drain._task, return_exceptions=True)
    await store._database.close()
    store._home.abandon()


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory() as name:
        clock = StillClock()
        made = World(Path(name), clock, await opened(Path(name), clock))
        made.call(1, 10)
        begins = (("", made.store.stream.spool.last), ("0", 0), ("0", 0))
        made.readers = [Reader(cursor, start, made.pruned) for cursor, start in begins]
        for reader in made.readers:
            reader.open(made.store)
            await asyncio.sleep(0)
        yield made
        await made.store.close()


def check(reader: Reader, written: list[int]) -> None:
    assert reader.seen == sorted(set(reader.seen))
    wanted = {number for number in written if number > reader.start}
    told = {number for first, last in reader.gaps for number in wanted if first <= number <= last}
    assert not told & set(reader.seen)
    assert set(reader.seen) <= wanted
    lost = wanted - set(reader.seen) - told
    assert lost <= reader.forgiven
    assert all(any(first <= number <= last for number in reader.pruned) for first, last in reader.gaps)


@given(steps=STEPS)
@settings(max_examples=60)
def test_every_reader_sees_every_event_once_or_a_gap(steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        async with world() as made:
            for name, *arguments in steps:
                done = getattr(made, name)(*arguments)
                if done is not None:
                    await done
            for reader in made.readers:
                await reader.read_to_the_end()
            for reader in made.readers:
                check(reader, made.written)

    asyncio.run(run())
