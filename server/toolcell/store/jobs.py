"""Jobs as kept: `interface.Jobs` over any database."""

from typing import Any, Final

from toolcell.model.job import STEERING, Job
from toolcell.store.interface import Database, JobFilter, Statement, Waiting
from toolcell.store.rows import JOB_COLUMNS, job_from, job_row, storable

_CONDITIONS: Final = (
    ("tool", "tool = :tool"),
    ("caller", "caller = :caller"),
    ("state", "state = :state"),
    ("tool_call_id", "tool_call_id = :tool_call_id AND tool_call_id <> ''"),  # the index leaves "" out
)
"""What a filter's field means in SQL, when it is set."""

_LABEL: Final = (
    "JOIN job_label AS label{0} ON label{0}.job_id = job.job_id"
    " AND label{0}.key = :key{0} AND label{0}.value = :value{0}"
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
        """Writes what became of a job, durably; returns False when its row is not what `was` says any more."""
        parameters = job_row(job) | {f"was_{name}": getattr(was, name) for name in STEERING}
        return bool(await self._database.execute("change_job", parameters))

    async def page(self, chosen: JobFilter, before: str, limit: int) -> list[Job]:
        """Returns at most `limit` jobs older than `before`, newest first."""
        parameters, parts = _select(chosen, before)
        rows = await self._database.query("page_jobs", parameters | {"limit": limit}, parts | _COLUMNS)
        return [job_from(row) for row in rows]

    async def waiting(self) -> list[Waiting]:
        """Returns what waits, oldest first."""
        return [Waiting(*row) for row in await self._database.query("waiting_jobs", {})]

    async def running(self) -> list[Job]:
        """Returns what a dead server left running, oldest first."""
        return [job_from(row) for row in await self._database.query("running_jobs", {}, _COLUMNS)]


def _select(chosen: JobFilter, before: str) -> tuple[dict[str, Any], dict[str, str]]:
    fields = {name: getattr(chosen, name) for name, _ in _CONDITIONS}
    parameters = {name: value for name, value in fields.items() if value}
    conditions = [condition for name, condition in _CONDITIONS if name in parameters]
    cursor = "label0.job_id" if chosen.labels else "job.job_id"
    if before:
        parameters["before"] = before
        conditions.append(f"{cursor} < :before")
    joins = []
    for number, (key, value) in enumerate(chosen.labels.items()):
        joins.append(_LABEL.format(number))
        parameters |= {f"key{number}": key, f"value{number}": value}
    parts = {"joins": " ".join(joins), "conditions": " AND ".join(conditions) or "1 = 1", "cursor": cursor}
    return parameters, parts
