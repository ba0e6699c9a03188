"""Brings a store up in order, and down in the reverse order."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from toolcell.model.clock import Clock
from toolcell.model.errors import PlatformFault
from toolcell.store.drain import Drain, apply
from toolcell.store.history import History, read_marks
from toolcell.store.home import Home
from toolcell.store.interface import Database, Retention, StoreUnusable, Tokens, Traces
from toolcell.store.jobs import JobTable
from toolcell.store.retention import Pruner
from toolcell.store.spool import LIMIT_BYTES, Entry, Spool, discard, recover
from toolcell.store.stream import Stream
from toolcell.store.tokens import TokenTable
from toolcell.store.traces import TraceTable, interrupt, plan

_SKIPPED: Final = 1 << 24
"""Sequence numbers passed over after a crash: more than can have been given out and lost with the spool."""

_MOST_AT_ONCE: Final = 1000


class Store:
    """An open store; `interrupted` counts the calls that the last server left unfinished."""

    def __init__(
        self,
        home: Home,
        database: Database,
        spool: Spool,
        marks: Mapping[str, int],
        *,
        clock: Clock,
        retention: Retention,
    ) -> None:
        self._home, self._database, self._spool = home, database, spool
        self._drain = Drain(spool, database, plan)
        self.stream: Final = Stream(spool, self._drain, History(database), marks)
        self.tokens: Final[Tokens] = TokenTable(database)
        self.traces: Final[Traces] = TraceTable(spool, self._drain, database, self.stream, clock)
        self.jobs: Final = JobTable(database)
        self.pruner: Final = Pruner(database, clock, retention)
        self.interrupted = 0

    async def close(self) -> None:
        """Writes what waits and gives the state directory back.

        What the database does not take stays in the spool; the next start finds it.
        """
        await self.pruner.close()
        await self._drain.close()
        await self._database.close()
        is_drained = self._spool.is_drained
        self._spool.close()
        if is_drained:
            self._home.release()
        else:
            self._home.abandon()


async def start(
    home: Home, database: Database, *, clock: Clock, retention: Retention, spool_bytes: int = LIMIT_BYTES
) -> Store:
    """Opens the database, takes in what an earlier server left behind, and starts. Raises StoreUnusable.

    At most `spool_bytes` of records wait for the database before new calls are refused.
    """
    try:
        await database.open()
    except BaseException:
        home.abandon() if home.was_unclean else home.release()
        raise
    try:
        last = await _replay(home, database)
        # Also what was only given out, and lost with the power, stays given out.
        first = last + (_SKIPPED if home.was_unclean else 1)
        interrupted = await interrupt(database, clock.wall(), first)
        marks = await read_marks(database)
        discard(home.directory)
        spool = Spool(home.directory, first=first + interrupted, limit_bytes=spool_bytes)
    except (PlatformFault, OSError) as error:
        await database.close()
        home.abandon()
        raise StoreUnusable(
            f"What the last server left behind cannot be taken in: {error}",
            where=str(home.directory),
            remedy="Free space on its disk, or check it, and start again; nothing is lost.",
        ) from error
    store = Store(home, database, spool, marks, clock=clock, retention=retention)
    store.interrupted = interrupted
    return store


async def _replay(home: Home, database: Database) -> int:
    """Writes the spool's rows that the database does not have; returns the last sequence number there is."""
    marks = await database.query("drained", {})
    drained: int = marks[0][0] if marks else 0
    last = drained
    for entries in _chunks(entry for entry in recover(home.directory) if entry.sequence > drained):
        await apply(database, plan, entries)
        last = max(last, entries[-1].sequence)
    return last


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, _MOST_AT_ONCE)):
        yield chunk
