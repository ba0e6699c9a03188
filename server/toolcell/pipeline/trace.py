"""The record of every call: begun before a cell gets it, ended before the caller gets the answer."""

import asyncio
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.clock import Clock
from toolcell.model.errors import (
    Cancelled,
    Executed,
    Failure,
    InternalError,
    NodeLost,
    OutcomeUnknown,
    Reason,
    Refusal,
    StoreFull,
    StoreUnavailable,
)
from toolcell.model.ids import new_id, new_span_id, new_trace_id
from toolcell.model.span import Invocation, State
from toolcell.pipeline.chain import Proceed, facts
from toolcell.pipeline.limits import Bucket, Slot
from toolcell.store.interface import Traces

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_REFUSALS_PER_SECOND, _REFUSALS_AT_ONCE = 20.0, 200

Observe = Callable[[Invocation], None]
Log = Callable[[str], None]
Opened = Callable[[Call, int], Invocation]


class Trace:
    """Stage: opens a record and closes it, whatever happens.

    It is outermost, so that refusals are recorded too. What became a job is recorded by its attempts.

    A refusal before authentication is not recorded: a stranger can make us store nothing. A known caller's
    refusals are recorded up to 20 a second; those beyond are only answered.
    """

    needs: ClassVar[frozenset[str]] = facts("traceparent")
    gives: ClassVar[frozenset[str]] = facts("record")

    def __init__(
        self, traces: Traces, clock: Clock, observe: Observe, log: Log, *, opened: Opened | None = None
    ) -> None:
        """`opened` makes the record of a call at a time; by default that of a call which a door took."""
        self._opened = opened or from_caller
        self._traces = traces
        self._clock = clock
        self._observe = observe
        self._log = log
        self._refused = Bucket()

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Runs the call inside its record."""
        record = call.record = self._opened(call, self._clock.wall())
        begun = self._clock.monotonic()
        try:
            outcome = await proceed(call)
        except Refusal as refusal:
            self._refuse(call, begun, refusal)
            raise
        except asyncio.CancelledError:
            self._cancel(call, begun)
            raise
        except Exception:  # noqa: BLE001 - a bug of ours must still end in a record and a reason
            self._log(f"invocation {record.invocation_id}: {traceback.format_exc()}")
            bug = InternalError(request_id=record.invocation_id)
            self._refuse(call, begun, bug)
            raise bug from None
        if outcome.job is not None:
            return outcome
        record.output_json = outcome.output_json
        try:
            self._close(record, begun, _state(outcome), outcome.failure)
        except (StoreFull, StoreUnavailable):
            return Outcome(failure=_unrecorded(call))
        return outcome

    def _close(self, record: Invocation, begun: float, state: State, failure: Failure | None) -> None:
        """Ends the record; its end_time is the create_time plus what the monotonic clock measured."""
        record.state, record.failure = state, failure
        record.end_time = record.create_time + max(1, round((self._clock.monotonic() - begun) * 1e6))
        self._traces.end(record)
        self._observe(record)

    def _refuse(self, call: Call, begun: float, refusal: Refusal) -> None:
        """Records a refusal, within bounds; a store that is full or gone must not hide the reason itself."""
        now, record = self._clock.monotonic(), call.record
        if not call.is_begun:
            busy = record.caller and self._refused.wait(
                record.caller, _REFUSALS_PER_SECOND, _REFUSALS_AT_ONCE, now
            )
            if not record.caller or busy or isinstance(refusal, StoreFull | StoreUnavailable):
                return
            self._refused.take(record.caller, _REFUSALS_PER_SECOND, now)
        self._try_close(record, begun, State.FAILED, refusal.failure())

    def _cancel(self, call: Call, begun: float) -> None:
        """Records that the caller went away, or that the server shut down; the cell is dead by now."""
        record = call.record
        if call.is_begun:
            failure = Cancelled(tool=record.tool).failure(attempt=record.attempt)
            if record.state is State.PENDING:  # it waited for its slot: nothing was run
                failure = replace(failure, executed=Executed.NO, attempt=0)
            self._try_close(record, begun, State.CANCELLED, failure)

    def _try_close(self, record: Invocation, begun: float, state: State, failure: Failure) -> None:
        try:
            self._close(record, begun, state, failure)
        except (StoreFull, StoreUnavailable) as trouble:
            self._log(
                f"invocation {record.invocation_id} ended as {failure.reason} and is not recorded: {trouble}"
            )


def from_caller(call: Call, time: int) -> Invocation:
    """Opens the record of a call that a door took; it belongs to the caller's trace, or begins one."""
    parent = _TRACEPARENT.fullmatch(call.traceparent)
    return Invocation(
        invocation_id=new_id("inv"),
        trace_id=parent[1] if parent else new_trace_id(),
        span_id=new_span_id(),
        parent_span_id=parent[2] if parent else "",
        create_time=time,
    )


def _state(outcome: Outcome) -> State:
    if outcome.failure is None:
        return State.SUCCEEDED
    return State.CANCELLED if outcome.failure.reason is Reason.CANCELLED else State.FAILED


def _unrecorded(call: Call) -> Failure:
    """The outcome when the handler ran but its record could not be written.

    Nobody may be told that it succeeded.
    """
    fault = NodeLost if call.tool.idempotency.is_retry_safe else OutcomeUnknown
    return fault(tool=call.tool.name).failure()


class Record:
    """Stage: writes the first row.

    From here on the call ends in a record, also after a kill -9 (then as interrupted).
    """

    needs: ClassVar[frozenset[str]] = facts("record", "tool", "arguments_json")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, traces: Traces, slot: Slot) -> None:
        self._traces = traces
        self._slot = slot

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Begins the record: RUNNING when a slot is free, PENDING when the call has to queue."""
        call.record.state = State.RUNNING if self._slot.is_free(call.tool) else State.PENDING
        self._traces.begin(call.record, call.tool.idempotency.is_retry_safe)
        call.is_begun = True
        return await proceed(call)
