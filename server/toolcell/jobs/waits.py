"""Who waits for a job to end: told by whoever ends it, without looking again and again."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from toolcell.model.errors import ServerOverloaded
from toolcell.model.job import Job

End = asyncio.Future[Job | None]
"""Has the job when it ended, or None when nobody should wait any longer."""


class Waits:
    """At most `most` wait at once, half of them for one caller: those who call are not to be kept out."""

    def __init__(self, most: int) -> None:
        self._most = max(2, most)
        self._waiting: dict[str, set[End]] = {}
        self._of_caller: Counter[str] = Counter()
        self._is_over = False

    @contextmanager
    def open(self, job_id: str, caller: str) -> Iterator[End]:
        """Gives what hears of the job's end from now on; raises ServerOverloaded when too many wait."""
        if self._of_caller.total() >= self._most or self._of_caller[caller] >= self._most // 2:
            raise ServerOverloaded(
                "Too many wait for jobs already. Ask again in a moment, or with a timeout of 0.",
                retry_after=1.0,
            )
        end: End = asyncio.get_running_loop().create_future()
        if self._is_over:
            end.set_result(None)
        self._of_caller[caller] += 1
        self._waiting.setdefault(job_id, set()).add(end)
        try:
            yield end
        finally:
            self._of_caller[caller] -= 1
            if not self._of_caller[caller]:
                del self._of_caller[caller]
            self._forget(job_id, end)

    def tell(self, job: Job) -> None:
        """Tells those who wait for a job that it ended."""
        for end in self._waiting.get(job.job_id, ()):
            _wake(end, job)

    def close(self) -> None:
        """Wakes everybody, and lets nobody wait any more: the server is about to stop."""
        self._is_over = True
        for ends in self._waiting.values():
            for end in ends:
                _wake(end, None)

    def _forget(self, job_id: str, end: End) -> None:
        ends = self._waiting[job_id]
        ends.discard(end)
        if not ends:
            del self._waiting[job_id]


def _wake(end: End, job: Job | None) -> None:
    if not end.done():
        end.set_result(job)
