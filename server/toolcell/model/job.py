"""A job: a call that runs in the background. The table below says all that can ever happen to one.

Theory of operation
-------------------

A job is a row, and an *attempt* is one walk of its call through the pipeline, in a cell, recorded as an
invocation. The row is the truth; attempts come and go with the process that runs them. Three rules keep the
row honest, whatever dies when:

1.  *What was answered is on disk.* A job is PENDING or RUNNING in the database before StartJob answers,
    RUNNING before its handler gets the call, ended before anybody reads that it ended, and its cancellation
    is written before CancelJob answers. So a server that dies at any moment leaves a row that tells the next
    one what may have happened: PENDING means that no handler has the call, RUNNING that one may have it.

2.  *Only the attempt that the row names may end it.* An attempt is named by its number and its owner, the
    life of the server that started it. Events of an attempt (`FENCED`) carry that name, and change nothing
    when the row names another: a server that was stopped for an hour and wakes up cannot write over what the
    next one did.

3.  *A tool that may not be run twice is not run twice.* When an attempt is lost (its server died, or had to
    stop it), a retry-safe tool is put back in line, at most until its fourth attempt; the job of any other
    tool has FAILED with OUTCOME_UNKNOWN, and somebody has to look. An attempt that was refused before a cell
    had it is put back in line in any case: nothing ran.

A cancellation is a wish: it is written down, the handler is killed, and the row says CANCELLED once the
handler is dead. An answer that came before that wins. A job whose cancellation was asked for is never put
back in line.

Rows that ended never change. What a table of (state, event) does not hold is no transition: the event comes
too late, or from an attempt that is not the row's any more, and changes nothing.

The functions are pure: they take a row and return the next one, or None when the event does not apply. The
store writes a row only over the very one it was made from (`STEERING` is what it compares), so two events
that race are two transitions, one after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from toolcell.model.errors import Cancelled, Executed, Failure, NodeLost, OutcomeUnknown, Reason
from toolcell.model.span import Invocation, State

MOST_ATTEMPTS: Final = 4
"""How often a retry-safe tool is started for one job."""


class JobEvent(StrEnum):
    """What can happen to a job."""

    START = "start"
    REFUSE = "refuse"
    SUCCEED = "succeed"
    FAIL = "fail"
    REQUEUE = "requeue"
    CANCEL = "cancel"
    STOP = "stop"


INITIAL: Final = State.PENDING
"""Every job begins here, also one that is accepted and started in a single commit, as a slot was free."""

TABLE: Final[Mapping[tuple[State, JobEvent], State]] = {
    (State.PENDING, JobEvent.START): State.RUNNING,  # it has a slot
    (State.PENDING, JobEvent.REFUSE): State.FAILED,  # its token, tool or arguments are not good any more
    (State.PENDING, JobEvent.CANCEL): State.CANCELLED,
    (State.RUNNING, JobEvent.SUCCEED): State.SUCCEEDED,
    (State.RUNNING, JobEvent.FAIL): State.FAILED,
    (State.RUNNING, JobEvent.REQUEUE): State.PENDING,  # the attempt was lost, and may be made again
    (State.RUNNING, JobEvent.CANCEL): State.RUNNING,  # the wish is written down
    (State.RUNNING, JobEvent.STOP): State.CANCELLED,  # the handler of a job to be cancelled is dead
}
"""From a state by an event to a state. Nothing else ever happens to a job."""

FENCED: Final = frozenset({JobEvent.SUCCEED, JobEvent.FAIL, JobEvent.REQUEUE, JobEvent.STOP})
"""The events that only the attempt which the row names may cause."""

ENDED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

STEERING: Final = ("state", "attempt", "owner", "cancel_request_time")
"""The fields that decide which events apply: a row is written only over one with the same."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Names an attempt: its number, and the life of the server that started it."""

    attempt: int
    owner: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as kept. Times are microseconds since the epoch; 0 and "" mean not set.

    `arguments_json` is the caller's own text, and `is_struct` says whether it came as a Struct: the answer
    has the same form. `owner` names the life of the server that runs it, "" while none does. `retry_safe`
    and `revision` are those of the tool when it was accepted, later of its last attempt, and `invocation_id`
    and `start_time` are the last attempt's too.
    """

    job_id: str
    tool: str
    caller: str
    token_id: str
    trace_id: str
    create_time: int
    arguments_json: str
    retry_safe: bool
    revision: str
    parent_span_id: str = ""
    tool_call_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    is_struct: bool = False
    state: State = INITIAL
    attempt: int = 0
    owner: str = ""
    invocation_id: str = ""
    start_time: int = 0
    end_time: int = 0
    cancel_request_time: int = 0
    output_json: str = ""
    failure: Failure | None = None

    @property
    def has_ended(self) -> bool:
        """Tells whether the job is in one of the three states that never change."""
        return self.state in ENDED

    @property
    def fence(self) -> Fence:
        """The name of the attempt that may end the job."""
        return Fence(self.attempt, self.owner)


def start(job: Job, owner: str, invocation_id: str, time: int) -> Job | None:
    """Begins the next attempt, of a new job or of one that waits."""
    return _move(
        job,
        JobEvent.START,
        attempt=job.attempt + 1,
        owner=owner,
        invocation_id=invocation_id,
        start_time=_after(job, time),
    )


def refuse(job: Job, failure: Failure, time: int) -> Job | None:
    """Ends a job that waits and may not be started."""
    return _move(job, JobEvent.REFUSE, failure=failure, end_time=_after(job, time))


def succeed(job: Job, by: Fence, output_json: str, time: int) -> Job | None:
    """Ends a job with its output."""
    return _move(job, JobEvent.SUCCEED, by, owner="", output_json=output_json, end_time=_after(job, time))


def fail(job: Job, by: Fence, failure: Failure, time: int) -> Job | None:
    """Ends a job with how its handler failed, or why it was not run."""
    return _move(job, JobEvent.FAIL, by, owner="", failure=failure, end_time=_after(job, time))


def requeue(job: Job, by: Fence, *, has_run: bool) -> Job | None:
    """Puts a job back in line.

    Not one that is to be cancelled or was started four times, and not one whose handler may have run although
    its tool may not be run twice.
    """
    may_again = job.attempt < MOST_ATTEMPTS and (job.retry_safe or not has_run)
    if job.cancel_request_time or not may_again:
        return None
    return _move(job, JobEvent.REQUEUE, by, owner="")


def cancel(job: Job, time: int) -> Job | None:
    """Cancels a job that waits, or notes that one which runs is to be cancelled; the first time stays."""
    if job.cancel_request_time:
        return None
    if job.state is State.PENDING:
        time = _after(job, time)
        return _move(job, JobEvent.CANCEL, cancel_request_time=time, end_time=time, failure=_cancelled(job))
    return _move(job, JobEvent.CANCEL, cancel_request_time=_after(job, time))


def stop(job: Job, by: Fence, time: int) -> Job | None:
    """Ends a job that was to be cancelled, now that its handler is dead."""
    if not job.cancel_request_time:
        return None
    return _move(job, JobEvent.STOP, by, owner="", failure=_cancelled(job), end_time=_after(job, time))


def give_back(job: Job, by: Fence, failure: Failure, time: int) -> Job | None:
    """Says what becomes of a job whose attempt was refused before a cell had it, for a reason that passes."""
    if job.cancel_request_time:
        return stop(job, by, time)
    return requeue(job, by, has_run=False) or fail(job, by, failure, time)


def lose(job: Job, by: Fence, time: int) -> Job | None:
    """Says what becomes of a job whose attempt gave no answer: the server died, or had to stop it."""
    if job.cancel_request_time:
        return stop(job, by, time)
    if (again := requeue(job, by, has_run=True)) is not None:
        return again
    fault = NodeLost(tool=job.tool) if job.retry_safe else OutcomeUnknown(tool=job.tool)
    return fail(job, by, fault.failure(attempt=job.attempt), time)


def recover(job: Job, recorded: Invocation | None, time: int) -> Job | None:
    """Says what becomes of a job that a dead server left running, by the record of its attempt.

    An answer that was recorded is the job's, although the server died before it could write that down.
    """
    by = job.fence
    if recorded is not None and not recorded.interrupted:
        if recorded.state is State.SUCCEEDED:
            return succeed(job, by, recorded.output_json, recorded.end_time)
        if recorded.state is State.FAILED and recorded.failure is not None:
            return fail(job, by, recorded.failure, recorded.end_time)
    return lose(job, by, time)


def _move(job: Job, event: JobEvent, by: Fence | None = None, **changes: Any) -> Job | None:
    """Looks the event up in the table; None when it is not there, or comes from another attempt."""
    state = TABLE.get((job.state, event))
    if state is None or (event in FENCED and by != job.fence):
        return None
    return replace(job, state=state, **changes)


def _after(job: Job, time: int) -> int:
    """A clock that was set back does not make anything happen before the job was made."""
    return max(time, job.create_time)


def _cancelled(job: Job) -> Failure:
    if job.attempt:
        return Cancelled(tool=job.tool).failure(attempt=job.attempt)
    told = "The job was cancelled before it ran."
    return Failure(Reason.CANCELLED, told, {"tool": job.tool}, executed=Executed.NO, attempt=0)
