"""The door of StreamTrace: events as they happen, to whoever reads them, as fast as each reads.

A stream costs what one message holds: the next one is made when the transport has taken the last. The bytes
of an event are made once, however many follow.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

import grpc

from toolcell.model.caller import Caller
from toolcell.model.span import Event, EventKind
from toolcell.pipeline.gate import visible
from toolcell.store.happenings import Batch, EventFilter, Following, Happening
from toolcell.transports.grpc import messages, requests
from toolcell.transports.grpc.doors import Doors, credentials, guarded, read
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.traces import invocation_id, trace_id
from toolcell.transports.grpc.traffic import Traffic, draining
from toolcell.v1 import trace_service_pb2 as v1

PATH: Final = "/toolcell.v1.TraceService/StreamTrace"
_CURSOR_LENGTH: Final = 64
_RENDERED: Final = 1024
_LAST_SECONDS: Final = 1.0


class Streams:
    """Serves StreamTrace; streams are bounded apart from the calls, so that neither can starve the other."""

    def __init__(self, services: Services, calls: Traffic, limit: int, message_bytes: int) -> None:
        self._services = services
        self._calls = calls
        self._message_bytes = message_bytes
        self._traffic = Traffic(limit, "streams (`grpc.streams`)")
        self._open: set[Following] = set()
        self._rendered: dict[int, bytes] = {}

    def serve(self, doors: Doors) -> None:
        """Adds the method to the table."""
        handle = guarded(self._answer, self._traffic, self._services.log)
        doors.add(PATH, grpc.stream_stream_rpc_method_handler(handle))

    async def drain(self) -> None:
        """Lets every stream tell what has happened, then ends them all with SERVER_DRAINING."""
        for following in self._open:
            following.finish()
        await self._traffic.drain(_LAST_SECONDS)

    async def _answer(self, context: Context) -> None:
        recheck, now = self._services.tokens.recheck, self._services.clock.wall
        caller = self._services.gate.admit(credentials(context)[0], "traces")
        self._calls.take_new()
        body = await read(context)
        requests.bound_size(body, self._message_bytes)
        request = requests.decode(v1.StreamTraceRequest, body)
        with self._following(caller, request) as following:
            async for batch in following:
                recheck(caller.token_id, now())  # it may have been revoked since
                await context.write(self._message(following, batch))
        if request.follow:
            raise draining()

    @contextmanager
    def _following(self, caller: Caller, request: v1.StreamTraceRequest) -> Iterator[Following]:
        chosen = _filter(caller, request.filter)
        requests.require(requests.text("cursor", request.cursor, _CURSOR_LENGTH))
        following = self._services.traces.follow(chosen, request.cursor, is_endless=request.follow)
        self._open.add(following)
        try:
            yield following
        finally:
            self._open.discard(following)
            following.close()

    def _message(self, following: Following, batch: Batch) -> bytes:
        """Returns a response: its events' bytes, which are fields of a response, then the rest."""
        events = [self._event(following, happening) for happening in batch.events]
        return b"".join((*events, _rest(batch.cursor, batch.gap, is_behind=batch.is_behind)))

    def _event(self, following: Following, happening: Happening) -> bytes:
        rendered = self._rendered.get(happening.sequence)
        if rendered is None:
            while len(self._rendered) >= _RENDERED:
                del self._rendered[next(iter(self._rendered))]
            rendered = self._rendered[happening.sequence] = _response(following, happening)
        return rendered


@lru_cache(maxsize=64)
def _rest(cursor: str, gap: tuple[int, int] | None, *, is_behind: bool) -> bytes:
    """Returns the bytes of a response's other fields; those who keep up get the same ones."""
    rest = v1.StreamTraceResponse(cursor=cursor, behind=is_behind)
    if gap:
        rest.gap.from_sequence, rest.gap.to_sequence = gap
    return rest.SerializeToString()


def _response(following: Following, happening: Happening) -> bytes:
    """Returns the bytes of a response that holds one event."""
    subject = happening.subject
    event = messages.event_message(
        happening.sequence, Event(happening.time, EventKind(happening.kind), json.loads(happening.body))
    )
    event.invocation_id, event.tool, event.caller = subject.invocation_id, subject.tool, subject.caller
    event.trace_id, event.tool_call_id, event.job_id = subject.trace_id, subject.tool_call_id, subject.job_id
    event.cursor = following.cursor_after(happening.sequence)
    return v1.StreamTraceResponse(events=[event]).SerializeToString()


def _filter(caller: Caller, wanted: v1.EventFilter) -> EventFilter:
    """Returns what a caller asks for, within what it may see; raises RequestInvalid or RpcForbidden."""
    requests.require(
        requests.text("filter.tool", wanted.tool, requests.NAME_LENGTH),
        invocation_id("filter.invocation_id", wanted.invocation_id, is_optional=True),
        trace_id("filter.trace_id", wanted.trace_id),
        requests.text("filter.tool_call_id", wanted.tool_call_id),
        requests.job_id("filter.job_id", wanted.job_id) if wanted.job_id else iter(()),
        requests.labels("filter.labels", wanted.labels),
        requests.text("filter.caller", wanted.caller, requests.NAME_LENGTH),
    )
    return EventFilter(
        tool=wanted.tool,
        caller=visible(caller, wanted.caller),
        invocation_id=wanted.invocation_id,
        trace_id=wanted.trace_id,
        tool_call_id=wanted.tool_call_id,
        job_id=wanted.job_id,
        labels=dict(wanted.labels),
        only_failed=wanted.only_failed,
    )
