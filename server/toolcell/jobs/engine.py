"""Runs jobs: takes them in, gives them slots in the order they came, and writes down what became of them.

Everything here belongs to the event loop's thread. A tool with jobs in line has one task that waits for a
slot, in the same line as callers do, so neither can starve the other; with the slot it takes the first job
and lets it run. The rows on disk are the truth (see model/job): what is in memory can be made anew from
them, which is what `recover` does when a server starts.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolcell.jobs.lines import Lines
from toolcell.jobs.verdict import Verdict, is_for_later, verdict
from toolcell.jobs.waits import Waits
from toolcell.model import job as states
from toolcell.model.call import Call, Outcome
from toolcell.model.errors import PlatformFault, ServerDraining
from toolcell.model.ids import new_id
from toolcell.model.job import Job
from toolcell.model.span import State
from toolcell.model.tool import Tool
from toolcell.pipeline.attempt import attempt as chain_of_attempt
from toolcell.pipeline.attempt import call_of
from toolcell.pipeline.corridor import Corridor
from toolcell.store.interface import Jobs, Waiting

_PAUSE_SECONDS: Final = 1.0  # before what failed for a reason of ours is tried again
_LAST_SECONDS: Final = 8.0  # for handlers that were told to stop, and for writing down what became of them


@dataclass(slots=True, eq=False)
class _Attempt:
    """An attempt on its way; `walk` is None until it begins. `was_stopped`: it was told to end."""

    call: Call
    walk: "asyncio.Future[Outcome] | None" = None
    was_stopped: bool = False


class JobEngine:
    """The jobs of one server; `recover` comes before everything else, `drain` after."""

    def __init__(self, corridor: Corridor, jobs: Jobs, *, most_waits: int) -> None:
        """At most `most_waits` callers wait for a job at once."""
        self._owner = new_id("life")
        self._walk = chain_of_attempt(corridor, jobs, self._owner)
        self._jobs = jobs
        self.waits: Final = Waits(most_waits)
        self._traces = corridor.traces
        self._slots = corridor.slots
        self._cells = corridor.cells
        self._snapshot = corridor.snapshot
        self._clock = corridor.clock
        self._log = corridor.log
        self._lines = Lines()
        self._servers: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_draining = False
        self._not_before = 0.0

    # ── a server's life ─────────────────────────────────────────────────────────────────────────────────────

    async def recover(self) -> None:
        """Takes in what the last server left, and begins to run it. Raises StoreFull or StoreUnavailable."""
        for job in await self._jobs.running():
            found = await self._traces.get(job.invocation_id)
            record, now = found[0] if found else None, self._clock.wall()
            after = states.recover(job, record, now)
            if after is not None:
                await self._jobs.change(job, after)
        for waiting in reversed(await self._jobs.waiting()):
            self._lines.put_back(waiting)
        for tool in self._lines.tools():
            self._serve(tool)

    async def drain(self, grace_seconds: float) -> None:
        """Starts no more attempts, and ends those that run; may be called again with a shorter grace.

        Those of retry-safe tools are stopped at once and their jobs put back in line, for the next server.
        The others have the grace to finish; after it their jobs have FAILED with OUTCOME_UNKNOWN. What
        cannot be written down in time, the next server finds as after a crash.
        """
        self._is_draining = True
        self.waits.close()
        for server in tuple(self._servers.values()):
            server.cancel()
        for attempt in tuple(self._attempts.values()):
            if attempt.call.job.retry_safe:
                self._stop(attempt)
        await self._rest(grace_seconds)
        for attempt in tuple(self._attempts.values()):
            self._stop(attempt)
        await self._rest(_LAST_SECONDS)
        for task in tuple(self._tasks):
            task.cancel()

    async def _rest(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while self._tasks and (left := end - self._clock.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    # ── what callers ask ────────────────────────────────────────────────────────────────────────────────────

    async def accept(self, job: Job, tool: Tool) -> Job:
        """Keeps a new job and returns it as it stands: RUNNING when a slot was free, else PENDING.

        It is on disk when this returns; whoever goes away before may have started it all the same. Raises
        QueueFull, ServerDraining, StoreFull or StoreUnavailable: then there is no job.
        """
        if self._is_draining:
            raise ServerDraining("The server is shutting down and takes no new jobs. There is no job.")
        self._lines.reserve(tool.name, job.caller, self._slots.pace(tool))
        return await asyncio.shield(self._spawn(self._keep(job, tool)))

    async def cancel(self, job: Job) -> Job:
        """Cancels a job, durably, and returns it as it stands; see `model.job.cancel`.

        Raises StoreFull or StoreUnavailable.
        """
        return await asyncio.shield(self._spawn(self._cancel(job)))

    def progress(self, job_id: str) -> Mapping[str, Any]:
        """Returns the last thing that a running job's handler said about how far it is; {} for nothing."""
        attempt = self._attempts.get(job_id)
        return attempt.call.progress if attempt else {}

    async def _keep(self, job: Job, tool: Tool) -> Job:
        if not self._lines.has(tool.name) and self._slots.take(tool):
            self._lines.free(tool.name, job.caller)
            return await self._keep_running(job, tool)
        try:
            await self._jobs.add(job)
        except BaseException:
            self._lines.free(tool.name, job.caller)
            raise
        self._lines.put(Waiting(job.job_id, tool.name, job.caller))
        self._serve(tool.name)
        return job

    async def _keep_running(self, job: Job, tool: Tool) -> Job:
        """Accepts and starts in one commit; the attempt is known before, so it can be cancelled at once."""
        started = states.start(job, self._owner, new_id("inv"), self._clock.wall()) or job
        attempt = self._attempts[job.job_id] = _Attempt(call_of(started))
        try:
            await self._jobs.add(started)
        except BaseException:
            del self._attempts[job.job_id]
            self._slots.release(tool)
            raise
        self._spawn(self._run(attempt, tool))
        return started

    async def _cancel(self, job: Job) -> Job:
        now = self._clock.wall()
        after = await self._change(job, lambda row: states.cancel(row, now))
        if after.state is State.CANCELLED:
            self._lines.remove(after.tool, after.job_id)
            self.waits.tell(after)
        elif (attempt := self._attempts.get(job.job_id)) is not None and not after.has_ended:
            self._stop(attempt)
        return after

    # ── the line ────────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self, tool: str) -> None:
        """Makes sure that a tool's line moves on."""
        if tool not in self._servers and not self._is_draining:
            server = self._servers[tool] = asyncio.create_task(self._work(tool))
            server.add_done_callback(lambda done: self._served(tool, done))

    def _served(self, tool: str, server: "asyncio.Task[None]") -> None:
        del self._servers[tool]
        if not server.cancelled() and (error := server.exception()):
            self._log(f"jobs of {tool}: {error!r}")
            self._not_before = self._clock.monotonic() + _PAUSE_SECONDS
        if self._lines.has(tool):
            self._serve(tool)

    async def _work(self, name: str) -> None:
        while self._lines.has(name):
            await asyncio.sleep(max(0.0, self._not_before - self._clock.monotonic()))
            entry = self._snapshot().entries.get(name)
            if entry is None or entry.tool.unavailable is not None:
                if waiting := self._lines.take(name):
                    await self._spawn(self._resume(waiting, None))  # to be refused: takes no slot
                continue
            await self._slots.wait(entry.tool)
            if waiting := self._lines.take(name):
                self._spawn(self._resume(waiting, entry.tool))
            else:
                self._slots.release(entry.tool)

    async def _resume(self, waiting: Waiting, tool: Tool | None) -> None:
        """Runs a job that was in line, with a slot of its tool, or without one when there is no such tool."""
        try:
            job = await self._jobs.get(waiting.job_id)
        except PlatformFault:
            job = None
            self._put_back(waiting, is_for_later=True)
        if job is None or job.state is not State.PENDING or self._is_draining:
            if tool is not None:
                self._slots.release(tool)
            return
        attempt = self._attempts[job.job_id] = _Attempt(call_of(job))
        await self._run(attempt, tool)

    def _put_back(self, waiting: Waiting, *, is_for_later: bool) -> None:
        if self._is_draining:
            return
        self._lines.put_back(waiting)
        if is_for_later:
            self._not_before = self._clock.monotonic() + _PAUSE_SECONDS
        self._serve(waiting.tool)

    # ── an attempt ──────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, attempt: _Attempt, tool: Tool | None) -> None:
        call, begun = attempt.call, self._clock.monotonic()
        walk = attempt.walk = asyncio.ensure_future(self._walk(call))
        if attempt.was_stopped:
            walk.cancel()
        try:
            await asyncio.wait((walk,))
        finally:
            if tool is not None:
                self._slots.release(tool, self._clock.monotonic() - begun)
        job = call.job
        judged = verdict(job, walk, self._clock.wall())
        try:
            after = await self._write(job, judged)
        finally:
            del self._attempts[job.job_id]
        if after.has_ended:
            self.waits.tell(after)
        elif after.state is State.PENDING:
            trouble = None if walk.cancelled() else walk.exception()
            waiting = Waiting(after.job_id, after.tool, after.caller)
            self._put_back(waiting, is_for_later=is_for_later(trouble))

    def _stop(self, attempt: _Attempt) -> None:
        """Ends an attempt: its cell, if one has the call already."""
        attempt.was_stopped = True
        record = getattr(attempt.call, "record", None)
        is_in_cell = record is not None and self._cells.stop(record.invocation_id)
        if attempt.walk is not None and not is_in_cell:
            attempt.walk.cancel()

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _change(self, job: Job, judged: Verdict) -> Job:
        """Writes what becomes of a row; when it changed meanwhile, judges again. Returns it as it stands."""
        row = job
        while (after := judged(row)) is not None:
            if await self._jobs.change(row, after):
                return after
            found = await self._jobs.get(row.job_id)
            if found is None:
                break
            row = found
        return row

    async def _write(self, job: Job, judged: Verdict) -> Job:
        """As `_change`, but for as long as it takes: what a handler did must not be forgotten."""
        has_told = False
        while True:
            try:
                return await self._change(job, judged)
            except PlatformFault as trouble:
                if not has_told:
                    self._log(f"job {job.job_id}: what became of it cannot be written yet: {trouble}")
                has_told = True
                await asyncio.sleep(_PAUSE_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, PlatformFault):
            self._log(f"jobs: {error!r}")
