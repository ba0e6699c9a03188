"""The chain of one attempt of a job. It begins with what the row says instead of what a door took.

    trace         outermost, as ever; the record belongs to the job and to its trace
    recheck       the caller may have lost its token since; a revoked one starts nothing
    read          the caller's own words, as the row has them
    authorize     by the token's grants of today …
    resolve       … on the revision of today …
    validate      … whose contract may be another one than that which accepted the arguments
    begin         the row says RUNNING before a handler can take effect
    execute       as for every call

There is no *rate*, which was taken when the job was accepted, and no *slot*: the engine holds one of the
tool's slots around the whole chain, as it takes it before it picks the job.
"""

from dataclasses import replace
from typing import ClassVar

from toolcell.model import job as states
from toolcell.model.call import Call, Outcome, Question
from toolcell.model.caller import Caller
from toolcell.model.clock import Clock
from toolcell.model.ids import new_id, new_span_id
from toolcell.model.job import Job
from toolcell.model.span import Invocation, State
from toolcell.pipeline.chain import Proceed, chain, facts
from toolcell.pipeline.contract import Read, Resolve, Validate
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.execute import Execute
from toolcell.pipeline.gate import require
from toolcell.pipeline.grants import Authorize
from toolcell.pipeline.tokens import TokenBook
from toolcell.pipeline.trace import Trace
from toolcell.store.interface import Jobs, Traces

_GIVEN = facts("traceparent", "deadline", "read", "job")


def call_of(job: Job) -> Call:
    """Makes the call of a job's next attempt, or of the one that its row says is running."""
    question = Question(job.tool, job.arguments_json, job.tool_call_id, job.labels, job.is_struct)
    call = Call(authorization="", traceparent="", deadline=None, read=lambda: question)
    call.job = job
    return call


def from_job(call: Call, time: int) -> Invocation:
    """Opens the record of an attempt."""
    job = call.job
    is_started = job.state is State.RUNNING
    return Invocation(
        invocation_id=job.invocation_id if is_started else new_id("inv"),
        trace_id=job.trace_id,
        span_id=new_span_id(),
        parent_span_id=job.parent_span_id,
        caller=job.caller,
        token_id=job.token_id,
        create_time=time,
        job_id=job.job_id,
        attempt=job.attempt if is_started else job.attempt + 1,
    )


class Recheck:
    """Stage: gives the caller, by what its token is worth now."""

    needs: ClassVar[frozenset[str]] = facts("job", "record")
    gives: ClassVar[frozenset[str]] = facts("caller")

    def __init__(self, tokens: TokenBook, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Raises TokenRevoked or TokenExpired; `executed` says that the job did not run."""
        token = self._tokens.recheck(call.job.token_id, self._clock.wall())
        call.caller = Caller(token.caller, token.token_id, token.grants)
        require(call.caller, "invoke")
        return await proceed(call)


class Begin:
    """Stage: writes that the job is running, and the first row of the attempt's record."""

    needs: ClassVar[frozenset[str]] = facts("job", "tool", "record", "arguments_json")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, jobs: Jobs, traces: Traces, clock: Clock, owner: str) -> None:
        """`owner` names this life of the server."""
        self._jobs = jobs
        self._traces = traces
        self._clock = clock
        self._owner = owner

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Answers with the job itself, and runs nothing, when it was cancelled in the meantime."""
        if call.job.state is State.PENDING and not await self._start(call):
            return Outcome(job=call.job)
        self._traces.begin(call.record, call.tool.idempotency.is_retry_safe)
        call.is_begun = True
        return await proceed(call)

    async def _start(self, call: Call) -> bool:
        """Writes the start; who is interrupted meanwhile leaves the row in `call.job` that may be written."""
        was, tool = call.job, call.tool
        started = states.start(was, self._owner, call.record.invocation_id, self._clock.wall())
        if started is None:
            return False
        call.job = replace(started, revision=tool.revision, retry_safe=tool.idempotency.is_retry_safe)
        try:
            is_written = await self._jobs.change(was, call.job)
        except Exception:
            call.job = was
            raise
        if not is_written:
            call.job = was
        return is_written


def attempt(corridor: Corridor, jobs: Jobs, owner: str) -> Proceed:
    """Builds the chain of an attempt, for a life of the server; raises DisorderError when it is wrong."""
    c = corridor
    return chain(
        Trace(c.traces, c.clock, c.observe, c.log, opened=from_job),
        Recheck(c.tokens, c.clock),
        Read(),
        Authorize(),
        Resolve(c.snapshot, c.cells.level),
        Validate(),
        Begin(jobs, c.traces, c.clock, owner),
        Execute(c.cells, c.traces, c.clock),
        given=_GIVEN,
    )
