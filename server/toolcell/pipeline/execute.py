"""The last stage: a cell gets the call, and what it answers is held against the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

from toolcell.cells.pool import Cells, Reply, Request
from toolcell.cells.relay import Emit
from toolcell.contracts.contract import Contract
from toolcell.model.call import Call, Outcome
from toolcell.model.clock import Clock
from toolcell.model.errors import OutputInvalid, OutputTooLarge
from toolcell.model.span import Event, EventKind
from toolcell.pipeline.chain import Proceed, facts
from toolcell.pipeline.contract import by_size
from toolcell.store.interface import Traces

_MARGIN_SHARE, _MARGIN_MOST = 0.05, 0.05


class Execute:
    """Stage: runs the handler in a fresh cell until its answer or its deadline, and checks the answer."""

    needs: ClassVar[frozenset[str]] = facts("record", "tool", "contract", "arguments_json", "deadline")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, cells: Cells, traces: Traces, clock: Clock) -> None:
        self._cells = cells
        self._traces = traces
        self._clock = clock

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Returns the outcome; raises only when no cell could take the call."""
        record, tool = call.record, call.tool
        request = Request(record.invocation_id, record.tool_call_id, record.attempt, call.arguments_json)

        def emit(kind: EventKind, body: Mapping[str, Any]) -> None:
            self._traces.append(record.invocation_id, Event(self._clock.wall(), kind, body))
            if kind is EventKind.PROGRESS:
                call.progress = body

        reply = await self._cells.run(tool, request, self._deadline(call), emit)
        record.start_time, record.usage = reply.start_time, reply.usage
        if reply.fault is not None:
            is_safe = tool.idempotency.is_retry_safe
            return Outcome(failure=reply.fault.failure(is_retry_safe=is_safe, attempt=record.attempt))
        return await self._answer(call, reply, emit)

    def _deadline(self, call: Call) -> float:
        """The tool's own, or a little before the caller's.

        The reason must reach it before its own timer does.
        """
        now = self._clock.monotonic()
        own = now + call.tool.timeout_seconds
        if call.deadline is None:
            return own
        margin = min(_MARGIN_MOST, _MARGIN_SHARE * max(0.0, call.deadline - now))
        return min(own, call.deadline - margin)

    async def _answer(self, call: Call, reply: Reply, emit: Emit) -> Outcome:
        tool = call.tool
        try:
            output_json, size = await by_size(reply.size, _encoded, call.contract, reply.value)
        except OutputInvalid as fault:
            found = [
                {"field": v.field, "description": v.description, "rule": v.rule} for v in fault.violations
            ]
            emit(EventKind.EXCEPTION, {"type": fault.reason, "message": fault.message, "violations": found})
            return Outcome(failure=fault.failure(attempt=call.record.attempt))
        if size > tool.output_limit_bytes:
            excess = OutputTooLarge(tool=tool.name, limit=tool.output_limit_bytes)
            return Outcome(failure=excess.failure(attempt=call.record.attempt))
        return Outcome(output_json)


def _encoded(contract: Contract, value: object) -> tuple[str, int]:
    """Returns the canonical text of a handler's value, and how many bytes it is; raises OutputInvalid."""
    text = contract.encode(value)
    return text, len(text) if text.isascii() else len(text.encode())
