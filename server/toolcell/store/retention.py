"""Keeps the store within its bounds: the oldest invocations and jobs go, a little at a time."""

import asyncio
import logging
from typing import Final

from toolcell.model.clock import Clock
from toolcell.store.interface import Database, Retention, Statement

_EVERY_SECONDS: Final = 300.0
_MOST_EVENTS: Final = 1000
_MOST_INVOCATIONS: Final = 100  # these may be a megabyte each …
_MOST_JOBS: Final = 100  # … and so may these
_END_OF_TIME: Final = (1 << 63) - 1


_log: Final = logging.getLogger(__name__)


class Pruner:
    """Prunes when it is made, and every few minutes until it is closed."""

    def __init__(self, database: Database, clock: Clock, retention: Retention) -> None:
        self._database, self._clock, self._retention = database, clock, retention
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stops between two chunks."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def prune(self) -> int:
        """Deletes what is too old or too much, never what is unfinished; returns how many went."""
        oldest = self._clock.wall() - int(self._retention.age_seconds * 1_000_000)
        count = 0
        while any(gone := await self._chunk(oldest)):
            count += gone[1]
        while await self._used_bytes() > self._retention.size_bytes and any(
            gone := await self._chunk(_END_OF_TIME)
        ):
            count += gone[1]
        await self._database.reclaim()
        return count

    async def _chunk(self, before: int) -> tuple[int, int]:
        """Deletes the oldest made before a time; returns how many events, how many invocations and jobs."""
        bounds = {
            "before": before,
            "events": _MOST_EVENTS,
            "invocations": _MOST_INVOCATIONS,
            "jobs": _MOST_JOBS,
        }
        names = (
            "mark_pruned",
            "prune_events",
            "prune_labels",
            "prune_invocations",
            "prune_job_labels",
            "prune_jobs",
        )
        _, events, _, invocations, _, jobs = await self._database.transaction(
            [Statement(name, (bounds,)) for name in names], idle=True
        )
        return len(events), len(invocations) + len(jobs)

    async def _used_bytes(self) -> int:
        ((used,),) = await self._database.query("used_bytes", {})
        return int(used)

    async def _work(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as error:  # noqa: BLE001 - the next round tries again, whatever it was
                _log.warning("pruning stopped: %s", error)
            await asyncio.sleep(_EVERY_SECONDS)
