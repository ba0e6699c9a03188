"""StreamTrace: whose events, from where, for how long, and what becomes of those that do not read."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.unit.transports.house import House, fields, house, info, refusal
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.ids import new_id, new_span_id, new_trace_id
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.v1.trace_service_pb2 import EventFilter, StreamTraceRequest, StreamTraceResponse

FOLLOW = StreamTraceRequest(follow=True)


def record(house: House, *texts: str, state: State = State.SUCCEEDED, **more: Any) -> Invocation:
    """Records a whole call that prints some texts."""
    given: dict[str, Any] = {"tool": "echo", "caller": "ada", "create_time": 1_000_000, "end_time": 1_250_000}
    made = Invocation(new_id("inv"), new_trace_id(), new_span_id(), **given | more)
    house.traces.begin(made, retry_safe=True)
    for text in texts:
        house.traces.append(made.invocation_id, Event(1_100_000, EventKind.STDOUT, {"text": text}))
    made.state = state
    if state is State.FAILED:
        made.failure = Failure(Reason.TOOL_ERROR, "no", executed=Executed.YES)
    house.traces.end(made)
    return made


async def opened(house: House, request: StreamTraceRequest = FOLLOW, metadata: Any = None) -> Any:
    """Opens a stream and reads its first message: from now on it tells what happens."""
    stream: Any = house.trace.StreamTrace(request, metadata=metadata or house.metadata)
    first = await stream.read()
    assert isinstance(first, StreamTraceResponse)
    assert not first.events
    assert first.cursor
    return stream


async def told(stream: Any, count: int) -> list[Any]:
    """Reads so many events."""
    found: list[Any] = []
    while len(found) < count:
        message = await stream.read()
        assert message is not grpc.aio.EOF
        found += message.events
    assert len(found) == count
    return found


async def everything(house: House, request: StreamTraceRequest) -> list[Any]:
    """Reads a stream that ends by itself."""
    stream: Any = house.trace.StreamTrace(request, metadata=house.metadata)
    return [event async for message in stream for event in message.events]


async def places(house: House, wanted: int) -> None:
    """Waits until so many streams are open in the store."""
    store: Any = house.traces
    while len(store._stream._places) != wanted:  # noqa: ASYNC110 - nobody tells when a place is given up
        await asyncio.sleep(0)


async def test_a_call_is_told_as_it_happens(served: House) -> None:
    stream = await opened(served)
    made = record(served, "hello", tool_call_id="call_1")
    started, line, ended = await told(stream, 3)
    assert [each.kind for each in (started, line, ended)] == ["started", "stdout", "ended"]
    for event in (started, line, ended):
        assert (event.invocation_id, event.trace_id) == (made.invocation_id, made.trace_id)
        assert (event.tool, event.caller, event.tool_call_id) == ("echo", "ada", "call_1")
    assert dict(line.body) == {"text": "hello"}
    assert line.time.ToMicroseconds() == 1_100_000
    assert dict(ended.body) == {"state": "SUCCEEDED", "duration": 0.25}
    stream.cancel()


async def test_each_events_cursor_resumes_after_it(served: House) -> None:
    record(served, "1", "2")
    replay = await everything(served, StreamTraceRequest(cursor="0"))
    assert [each.kind for each in replay] == ["started", "stdout", "stdout", "ended"]
    for index, event in enumerate(replay):
        assert await everything(served, StreamTraceRequest(cursor=event.cursor)) == replay[index + 1 :]


async def test_live_and_replayed_events_are_the_same_bytes(served: House) -> None:
    stream = await opened(served)
    record(served, "ü", state=State.FAILED)
    live = await told(stream, 3)
    assert await everything(served, StreamTraceRequest(cursor="0")) == live
    stream.cancel()


async def test_a_filter_chooses(served: House) -> None:
    chosen = EventFilter(tool="quote", labels={"a": "b"}, only_failed=True)
    stream = await opened(served, StreamTraceRequest(filter=chosen, follow=True))
    record(served, state=State.FAILED)
    record(served, tool="quote", labels={"a": "b"})
    made = record(served, tool="quote", labels={"a": "b"}, state=State.FAILED)
    (ended,) = await told(stream, 1)
    assert ended.invocation_id == made.invocation_id
    assert dict(ended.body) == {
        "state": "FAILED", "duration": 0.25, "reason": "TOOL_ERROR", "message": "no", "executed": "YES",
    }  # fmt: skip
    stream.cancel()


# ── whose ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_follows_its_own_and_with_a_grant_everybodys(served: House) -> None:
    bob = await opened(served, metadata=await served.token("traces", caller="bob"))
    all_seeing = await opened(served)
    record(served, caller="ada")
    mine = record(served, caller="bob")
    assert {each.invocation_id for each in await told(bob, 2)} == {mine.invocation_id}
    assert [each.caller for each in await told(all_seeing, 4)] == ["ada", "ada", "bob", "bob"]
    bob.cancel()
    all_seeing.cancel()


async def test_another_callers_events_need_a_grant(served: House) -> None:
    request = StreamTraceRequest(filter=EventFilter(caller="ada"), follow=True)
    token = await served.token("traces", caller="bob")
    error = await refusal(served.trace.StreamTrace(request, metadata=token).read())
    assert info(error).reason == "RPC_FORBIDDEN"
    assert info(error).metadata["group"] == "traces.all"


async def test_a_stream_ends_when_its_token_is_revoked(served: House) -> None:
    metadata = await served.token("traces", "traces.all")
    stream = await opened(served, metadata=metadata)
    (token,) = await served.services.tokens.page("", 1)
    await served.services.tokens.revoke(token.token_id)
    record(served)
    error = await refusal(stream.read())
    assert info(error).reason == "TOKEN_REVOKED"
    await places(served, 0)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cursor", ["x", "5", "0-1", "99999-ff"])
async def test_a_foreign_cursor_is_refused(served: House, cursor: str) -> None:
    request = StreamTraceRequest(cursor=cursor)
    error = await refusal(served.trace.StreamTrace(request, metadata=served.metadata).read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(error).reason == "CURSOR_INVALID"
    assert fields(error) == ["cursor"]


async def test_every_wrong_field_is_named(served: House) -> None:
    chosen = EventFilter(
        tool="x" * 65,
        invocation_id="inv_1",
        trace_id="1",
        tool_call_id="\n",
        labels={"A": "b"},
        job_id="job_1",
        caller="x" * 65,
    )
    request = StreamTraceRequest(filter=chosen)
    error = await refusal(served.trace.StreamTrace(request, metadata=served.metadata).read())
    assert info(error).reason == "REQUEST_INVALID"
    names = ("tool", "invocation_id", "trace_id", "tool_call_id", "job_id", "labels", "caller")
    assert fields(error) == [f"filter.{name}" for name in names]
    await places(served, 0)


async def test_streams_are_bounded_apart_from_calls_and_one_that_goes_makes_room(tmp_path: Path) -> None:
    async with house(tmp_path, streams=2, calls=1) as served:
        first, second = await opened(served), await opened(served)
        error = await refusal(served.trace.StreamTrace(FOLLOW, metadata=served.metadata).read())
        assert info(error).reason == "SERVER_OVERLOADED"
        assert "`grpc.streams`" in (error.details() or "")
        assert await everything_of_a_record(served)
        first.cancel()
        await places(served, 1)
        (await opened(served)).cancel()
        second.cancel()
        await places(served, 0)


async def everything_of_a_record(served: House) -> bool:
    """Asks for a record while streams are open."""
    from toolcell.v1.trace_service_pb2 import GetInvocationRequest

    made = record(served)
    request = GetInvocationRequest(invocation_id=made.invocation_id)
    answer = await served.trace.GetInvocation(request, metadata=served.metadata)
    return bool(answer.invocation.invocation_id == made.invocation_id)


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_draining_server_tells_what_happened_and_ends_its_streams(served: House) -> None:
    stream = await opened(served)
    record(served, "last")
    await served.server.drain(0)
    kinds = [each.kind for each in await told(stream, 3)]
    assert kinds == ["started", "stdout", "ended"]
    error = await refusal(stream.read())
    assert info(error).reason == "SERVER_DRAINING"
    assert served.log == []


async def test_a_client_whose_connection_breaks_leaves_nothing_behind(served: House) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        call: Any = channel.unary_stream("/toolcell.v1.TraceService/StreamTrace")
        streams = [call(FOLLOW.SerializeToString(), metadata=served.metadata) for _ in range(5)]
        for stream in streams:
            await stream.read()
        await places(served, 5)
        for _ in range(100):
            record(served, "x" * 1000)
    await places(served, 0)
    assert served.log == []


async def test_one_that_does_not_read_holds_up_nobody_and_gets_everything_later(served: House) -> None:
    stopped, reading = await opened(served), await opened(served)
    for _ in range(20):
        for _ in range(20):
            record(served, "x" * 2000)
        await told(reading, 60)
    seen: list[int] = []
    was_behind = False
    while len(seen) < 1200:
        message = await stopped.read()
        seen += [event.sequence for event in message.events]
        was_behind |= message.behind
    assert seen == sorted(set(seen))
    assert was_behind
    stopped.cancel()
    reading.cancel()


async def test_one_that_does_not_read_does_not_keep_the_server_from_draining(served: House) -> None:
    options = (("grpc.http2.bdp_probe", 0),)  # or the library's own side takes megabytes
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}", options=options) as channel:
        call: Any = channel.unary_stream("/toolcell.v1.TraceService/StreamTrace")
        stopped = call(FOLLOW.SerializeToString(), metadata=served.metadata)
        await stopped.read()
        reading = await opened(served)
        for _ in range(100):
            record(served, *("x" * 2000 for _ in range(10)))
            await told(reading, 12)
        await served.server.drain(0)
        assert info(await refusal(reading.read())).reason == "SERVER_DRAINING"
        await places(served, 0)
        assert served.log == []
