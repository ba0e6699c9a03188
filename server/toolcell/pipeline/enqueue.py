"""The chain of StartJob: everything that can refuse a call; then a job is put on disk, not into a cell.

The stages are those of `invoke`, in its order and for its reasons:

    trace, authenticate, read, authorize, resolve, rate, validate
                  (here: deduplicate)
    enqueue       the job is durable when this returns; it may run already

Authenticate asks for the group `invoke` besides `jobs`: a job is a call, and who may not call may not do so
in the background either.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.ids import new_id
from toolcell.model.job import Job
from toolcell.model.tool import Tool
from toolcell.pipeline.chain import Proceed, chain, facts
from toolcell.pipeline.contract import Read, Resolve, Validate
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.gate import Authenticate
from toolcell.pipeline.grants import Authorize
from toolcell.pipeline.trace import Trace

Accept = Callable[[Job, Tool], Awaitable[Job]]
"""Keeps a new job of a tool and returns it as it stands; raises a Refusal when there is no room for it."""


class Enqueue:
    """Stage: turns the call into a job that is kept."""

    needs: ClassVar[frozenset[str]] = facts("question", "caller", "tool", "arguments_json", "record")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, accept: Accept) -> None:
        self._accept = accept

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Answers with the job."""
        question, record, tool = call.question, call.record, call.tool
        job = Job(
            job_id=new_id("job"),
            tool=tool.name,
            caller=call.caller.name,
            token_id=call.caller.token_id,
            trace_id=record.trace_id,
            parent_span_id=record.parent_span_id,
            create_time=record.create_time,
            arguments_json=question.arguments_json,
            retry_safe=tool.idempotency.is_retry_safe,
            revision=tool.revision,
            tool_call_id=question.tool_call_id,
            labels=question.labels,
            is_struct=question.is_struct,
        )
        return Outcome(job=await self._accept(job, tool))


def enqueue(corridor: Corridor, accept: Accept) -> Proceed:
    """Builds the chain of StartJob; raises DisorderError when the order is wrong."""
    c = corridor
    return chain(
        Trace(c.traces, c.clock, c.observe, c.log),
        Authenticate(c.gate, "jobs"),
        Read(),
        Authorize(),
        Resolve(c.snapshot, c.cells.level),
        c.rate,
        Validate(),
        Enqueue(accept),
    )
