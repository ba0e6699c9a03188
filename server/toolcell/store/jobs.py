"""Jobs as kept: `interface.Jobs` over any database."""

from typing import Final

from toolcell.model.job import STEERING, Job
from toolcell.store.interface import Database, JobFilter, Statement, Waiting
from toolcell.store.rows import JOB_COLUMNS, job_from, job_row, storable
from toolcell.store.selection import Selection

SELECTION: Final = Selection(
    table="job",
    key="job_id",
    labels="job_label",
    conditions=(
        ("tool", "tool = :tool"),
        ("caller", "caller = :caller"),
        ("state", "state = :state"),
        ("tool_call_id", "tool_call_id = :tool_call_id AND tool_call_id <> ''"),  # the index leaves "" out
    ),
)
_COLUMNS: Final = {"columns": ", ".join(f"job.{name}" for name in JOB_COLUMNS)}


class JobTable:
    """Keeps jobs in the table `job`; see `interface.Jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: Job) -> None:
        """Keeps a new job, durably."""
        statements = [Statement("add_job", (job_row(job),))]
        labels = [
            {"job_id": job.job_id, "key": storable(key), "value": storable(value)}
            for key, value in job.labels.items()
        ]
        if labels:
            statements.append(Statement("add_job_label", labels))
        await self._database.transaction(statements)

    async def get(self, job_id: str) -> Job | None:
        """Returns a job, or None."""
        rows = await self._database.query("get_job", {"job_id": job_id}, _COLUMNS)
        return job_from(rows[0]) if rows else None

    async def change(self, was: Job, job: Job) -> bool:
        """Writes what became of a job, durably; returns False when its row is not as `was` says any more."""
        parameters = job_row(job) | {f"was_{name}": getattr(was, name) for name in STEERING}
        return bool(await self._database.execute("change_job", parameters))

    async def page(self, chosen: JobFilter, before: str, limit: int) -> list[Job]:
        """Returns at most `limit` jobs older than `before`, newest first."""
        parameters, parts = SELECTION.of(chosen, before)
        rows = await self._database.query("page_jobs", parameters | {"limit": limit}, parts | _COLUMNS)
        return [job_from(row) for row in rows]

    async def waiting(self) -> list[Waiting]:
        """Returns what waits, oldest first."""
        return [Waiting(*row) for row in await self._database.query("waiting_jobs", {})]

    async def running(self) -> list[Job]:
        """Returns what a dead server left running, oldest first."""
        return [job_from(row) for row in await self._database.query("running_jobs", {}, _COLUMNS)]
