"""Moves rows from the spool into the database, within 50 ms or at once when somebody wants to read them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from toolcell.model.errors import PlatformFault, StoreUnavailable
from toolcell.store.interface import Database, Statement
from toolcell.store.spool import Entry, Spool

_DELAY_SECONDS: Final = 0.025
_RETRY_SECONDS: Final = 0.5
_MOST_AT_ONCE: Final = 1000

_log: Final = logging.getLogger(__name__)

Plan = Callable[[Sequence[Entry]], list[Statement]]


async def apply(database: Database, plan: Plan, entries: Sequence[Entry]) -> None:
    """Writes rows and the mark of the last one in one transaction; doing it again changes nothing.

    A row that the database rejects for itself is left out, so that it does not hold up those behind it.
    Raises StoreFull or StoreUnavailable; then nothing was written.
    """
    mark = Statement("mark_drained", ({"sequence": entries[-1].sequence},))
    try:
        await database.transaction([*plan(entries), mark])
    except PlatformFault:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the next one is written
        if len(entries) > 1:
            for entry in entries:
                await apply(database, plan, [entry])
            return
        await database.transaction([mark])
        # Only the type is told: the text of an error may hold what was in the row.
        _log.error("lost row %d (%s): %s", entries[0].sequence, entries[0].kind, type(error).__name__)


class Drain:
    """Watches a spool from `start` to `close`."""

    def __init__(self, spool: Spool, database: Database, plan: Plan) -> None:
        """`plan` says which statements write some rows."""
        self._spool, self._database, self._plan = spool, database, plan
        self._wanted = asyncio.Event()
        self._hurried = asyncio.Event()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._task = asyncio.create_task(self._work())

    def want(self) -> None:
        """Says that the spool has rows."""
        self._wanted.set()

    async def flush(self) -> None:
        """Returns when every row that the spool has now is in the database.

        Raises StoreFull or StoreUnavailable.
        """
        if self._spool.is_drained:
            return
        reached = self.reach(self._spool.last)
        self._hurried.set()
        await reached

    def reach(self, sequence: int) -> asyncio.Future[None]:
        """Returns what is done when the rows up to a number are in the database, without hurry.

        It raises StoreFull or StoreUnavailable.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if sequence <= self._spool.drained_to:
            future.set_result(None)
        elif self._task.done():
            future.set_exception(_unavailable("the store is closed"))
        else:
            self._waiters.append((sequence, future))
            self._wanted.set()
        return future

    async def close(self) -> None:
        """Drains a last time, as far as the database lets it; what is left stays in the spool's files."""
        with contextlib.suppress(PlatformFault):
            await self.flush()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._tell(_unavailable("the store is closed"))

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            await self._pause(_DELAY_SECONDS)
            try:
                await self._drain()
            except Exception as error:  # noqa: BLE001 - a defect must not leave readers waiting for ever
                self._tell(error if isinstance(error, PlatformFault) else _unavailable(type(error).__name__))
                await self._pause(_RETRY_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Waits, unless somebody is in a hurry."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()

    async def _drain(self) -> None:
        while entries := self._spool.head(_MOST_AT_ONCE):
            await apply(self._database, self._plan, entries)
            self._spool.drained(entries[-1].sequence)
            self._tell(None)
        self._wanted.clear()
        self._hurried.clear()

    def _tell(self, error: PlatformFault | None) -> None:
        """Wakes those whose rows are in the database, or everybody when there is an error."""
        self._hurried.clear()
        waiting, self._waiters = self._waiters, []
        drained = self._spool.drained_to
        for sequence, future in waiting:
            if future.done():  # its reader has gone
                continue
            if error is not None:
                future.set_exception(type(error)(error.message, retry_after=error.retry_after))
            elif sequence <= drained:
                future.set_result(None)
            else:
                self._waiters.append((sequence, future))


def _unavailable(why: str) -> StoreUnavailable:
    return StoreUnavailable(f"Records cannot reach the database: {why}.", retry_after=5.0)
