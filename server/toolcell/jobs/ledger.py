"""What callers ask about jobs: only of those that they may see."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toolcell.jobs.engine import JobEngine
from toolcell.model.caller import Caller
from toolcell.model.errors import JobNotFound
from toolcell.model.job import Job
from toolcell.model.span import State
from toolcell.pipeline.gate import visible
from toolcell.store.interface import JobFilter, Jobs

EVERYBODY = "jobs.all"
"""The group that sees and cancels everybody's jobs."""


class JobLedger:
    """Answers for the jobs of a server."""

    def __init__(self, jobs: Jobs, engine: JobEngine) -> None:
        self._jobs = jobs
        self._engine = engine

    async def get(self, caller: Caller, job_id: str) -> Job:
        """Returns a job; raises JobNotFound, also for one that this caller may not see."""
        job = await self._jobs.get(job_id)
        owner = visible(caller, "", EVERYBODY)
        if job is None or owner not in ("", job.caller):
            raise JobNotFound(
                f"There is no job {job_id} that this token may see. `toolcell job list` lists those it may.",
                job_id=job_id,
            )
        return job

    async def page(self, caller: Caller, chosen: JobFilter, before: str, limit: int) -> list[Job]:
        """Returns at most `limit` jobs that the caller may see, older than the id `before`, newest first."""
        allowed = replace(chosen, caller=visible(caller, chosen.caller, EVERYBODY))
        return await self._jobs.page(allowed, before, limit)

    async def wait(self, caller: Caller, job_id: str, seconds: float) -> Job:
        """Returns a job when it has ended, and after so many seconds in any case, as it stands then.

        Raises JobNotFound, or ServerOverloaded when too many wait.
        """
        if not seconds:
            return await self.get(caller, job_id)
        with self._engine.waits.open(job_id, caller.name) as end:
            job = await self.get(caller, job_id)
            if job.has_ended:
                return job
            done, _ = await asyncio.wait((end,), timeout=seconds)
        ended = end.result() if done else None
        return ended or await self.get(caller, job_id)

    async def cancel(self, caller: Caller, job_id: str) -> Job:
        """Cancels a job and returns it as it stands; raises JobNotFound, StoreFull or StoreUnavailable."""
        return await self._engine.cancel(await self.get(caller, job_id))

    def progress(self, job: Job) -> Mapping[str, Any]:
        """Returns how far a running job's handler says it is: `fraction` and `message`; {} for nothing."""
        return self._engine.progress(job.job_id) if job.state is State.RUNNING else {}
