"""What the end of an attempt means for its job."""

import asyncio
from collections.abc import Callable

from toolcell.model import job as states
from toolcell.model.call import Outcome
from toolcell.model.errors import Executed, InternalError, PlatformFault, Reason, Refusal
from toolcell.model.job import Job
from toolcell.model.span import State

Verdict = Callable[[Job], Job | None]
"""Says what becomes of a row, whatever it says by now; None: nothing."""


def verdict(job: Job, walk: "asyncio.Future[Outcome]", time: int) -> Verdict:
    """Judges an attempt that has ended at a time; `job` is the row as the attempt wrote it."""
    by = job.fence
    if walk.cancelled():  # it was stopped before a cell had it
        return lambda row: states.requeue(row, by, has_run=False) or states.lose(row, by, time)
    error = walk.exception()
    if error is not None:
        return _refused(job, error, time)
    outcome = walk.result()
    failure = outcome.failure
    if outcome.job is not None:  # it was cancelled before it began
        return _nothing
    if failure is None:
        return lambda row: states.succeed(row, by, outcome.output_json, time)
    if failure.reason is Reason.CANCELLED:  # it was stopped, and its handler is dead
        return lambda row: states.lose(row, by, time)
    return lambda row: states.fail(row, by, failure, time)


def is_for_later(error: BaseException | None) -> bool:
    """Tells whether an attempt failed for a reason of ours that passes, and ran nothing."""
    return isinstance(error, PlatformFault) and error.retryable


def _refused(job: Job, error: BaseException, time: int) -> Verdict:
    by, is_running = job.fence, job.state is State.RUNNING
    refusal = error if isinstance(error, Refusal) else InternalError(request_id=job.job_id)
    failure = refusal.failure(attempt=job.attempt)
    if not is_running:
        return _nothing if is_for_later(error) else lambda row: states.refuse(row, failure, time)
    if refusal.executed is Executed.NO and is_for_later(error):
        return lambda row: states.give_back(row, by, failure, time)
    return lambda row: states.fail(row, by, failure, time)


def _nothing(row: Job) -> None:  # noqa: ARG001 - the shape of a verdict
    return None
