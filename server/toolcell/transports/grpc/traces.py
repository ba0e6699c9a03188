"""The doors of TraceService: a caller's own records, and everybody's for who is granted that."""

import re
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from toolcell.model.caller import Caller
from toolcell.model.errors import InvocationNotFound, Violation
from toolcell.model.span import Event, EventKind
from toolcell.pipeline.gate import visible
from toolcell.store.interface import TraceFilter
from toolcell.transports.grpc import messages, paging, requests
from toolcell.transports.grpc.doors import Method
from toolcell.transports.grpc.services import Services
from toolcell.v1 import trace_service_pb2 as v1

_ID: Final = re.compile(r"inv_[0-9a-z]{26}")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_USUAL_ROWS: Final = 50
_LAST_SECOND: Final = 253_402_300_799
_EVENTS: Final = 1000


class Traces:
    """Tells what happened."""

    def __init__(self, services: Services) -> None:
        self._traces = services.traces

    def methods(self) -> tuple[Method, ...]:
        """Returns the rows of the table."""
        service = "/toolcell.v1.TraceService"
        return (
            Method(f"{service}/GetInvocation", "traces", v1.GetInvocationRequest, self.get),
            Method(f"{service}/ListInvocations", "traces", v1.ListInvocationsRequest, self.list),
        )

    async def get(self, caller: Caller, request: v1.GetInvocationRequest) -> bytes:
        """Answers GetInvocation; another caller's record is not found, like one that does not exist."""
        wanted = request.invocation_id
        requests.require(invocation_id("invocation_id", wanted))
        found = await self._traces.get(wanted)
        owner = visible(caller, "")
        if found is None or owner not in ("", found[0].caller):
            raise InvocationNotFound(
                f"There is no invocation {wanted} that this token may see. `toolcell runs` lists "
                "those it may.",
                invocation_id=wanted,
            )
        record, events = found
        response = v1.GetInvocationResponse(invocation=messages.invocation_message(record))
        _add_events(response, events)
        return response.SerializeToString()

    async def list(self, caller: Caller, request: v1.ListInvocationsRequest) -> bytes:
        """Answers ListInvocations."""
        chosen = _filter(caller, request.filter)
        fields = request.filter.SerializeToString(deterministic=True)
        query = paging.query("ListInvocations", caller.name, chosen.caller.encode(), fields)
        page = paging.open_page(request, query, _USUAL_ROWS)
        response = v1.ListInvocationsResponse()
        response.next_page_token = await paging.fill(
            page,
            lambda before, limit: self._traces.page(chosen, before, limit),
            messages.invocation_message,
            response.invocations,
            lambda record: record.invocation_id,
        )
        return response.SerializeToString()


def _add_events(response: v1.GetInvocationResponse, events: list[tuple[int, Event]]) -> None:
    """Adds what happened, as far as it fits; what does not is counted in a last event of kind `truncated`."""
    room = paging.PAGE_BYTES - response.ByteSize()
    for index, (sequence, event) in enumerate(events):
        message = messages.event_message(sequence, event)
        room -= message.ByteSize()
        if room < 0 or index > _EVENTS:
            cut = Event(event.time, EventKind.TRUNCATED, {"dropped": len(events) - index})
            response.events.append(messages.event_message(sequence, cut))
            return
        response.events.append(message)


def _filter(caller: Caller, wanted: v1.InvocationFilter) -> TraceFilter:
    """Returns what a caller asks for, within what it may see; raises RequestInvalid or RpcForbidden."""
    requests.require(
        requests.text("filter.tool", wanted.tool, requests.NAME_LENGTH),
        requests.text("filter.caller", wanted.caller, requests.NAME_LENGTH),
        requests.text("filter.tool_call_id", wanted.tool_call_id),
        trace_id("filter.trace_id", wanted.trace_id),
        requests.state("filter.state", wanted.state),
        requests.job_id("filter.job_id", wanted.job_id) if wanted.job_id else iter(()),
        requests.labels("filter.labels", wanted.labels),
        _moment("filter.create_time_from", wanted.create_time_from),
    )
    return TraceFilter(
        tool=wanted.tool,
        caller=visible(caller, wanted.caller),
        state=messages.state(wanted.state),
        tool_call_id=wanted.tool_call_id,
        trace_id=wanted.trace_id,
        labels=dict(wanted.labels),
        job_id=wanted.job_id,
        create_time_from=wanted.create_time_from.seconds * 1_000_000 + wanted.create_time_from.nanos // 1000,
    )


def invocation_id(field: str, value: str, *, is_optional: bool = False) -> requests.Violations:
    """Wants an invocation's id."""
    if not _ID.fullmatch(value) and not (is_optional and not value):
        yield Violation(
            field, "must be an invocation's id: `inv_` and 26 letters and digits", "string.pattern"
        )


def trace_id(field: str, value: str) -> requests.Violations:
    """Wants a W3C trace id, or nothing."""
    if value and not _TRACE_ID.fullmatch(value):
        yield Violation(field, "must be a W3C trace id: 32 lower-case hex digits", "string.pattern")


def _moment(field: str, value: Timestamp) -> requests.Violations:
    if not (0 <= value.seconds <= _LAST_SECOND and 0 <= value.nanos < requests.NANOS):
        yield Violation(field, "must be a time from 1970 to 9999", "timestamp.gte_lte")
