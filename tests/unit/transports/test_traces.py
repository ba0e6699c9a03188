"""A caller sees its own records, and everybody's when it is granted that."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.transports.house import House, fields, info, refusal
from toolcell.model.errors import HandlerTimeout
from toolcell.model.ids import new_id, new_span_id, new_trace_id
from toolcell.model.span import Event, EventKind, Invocation, State, Usage
from toolcell.v1 import error_reason_pb2, trace_pb2
from toolcell.v1.trace_service_pb2 import GetInvocationRequest, InvocationFilter, ListInvocationsRequest

MOMENT = 1_700_000_000_123_456


def record(caller: str = "ada", **parts: object) -> Invocation:
    given = {
        "tool": "echo",
        "state": State.SUCCEEDED,
        "create_time": MOMENT,
        "end_time": MOMENT + 2500,
        **parts,
    }
    return Invocation(new_id("inv"), new_trace_id(), new_span_id(), caller=caller, **given)  # type: ignore[arg-type] # as given


def keep(served: House, *records: Invocation) -> None:
    for it in records:
        served.traces.end(it)


async def get(
    served: House, invocation_id: str, metadata: object = None
) -> tuple[trace_pb2.Invocation, list[trace_pb2.TraceEvent]]:
    request = GetInvocationRequest(invocation_id=invocation_id)
    answer = await served.trace.GetInvocation(request, metadata=metadata or served.metadata)  # type: ignore[arg-type] # ours
    return answer.invocation, list(answer.events)


async def listed(served: House, metadata: object = None, **wanted: object) -> list[str]:
    request = ListInvocationsRequest(filter=InvocationFilter(**wanted))  # type: ignore[arg-type] # as the test names them
    answer = await served.trace.ListInvocations(request, metadata=metadata or served.metadata)  # type: ignore[arg-type] # ours
    return [it.invocation_id for it in answer.invocations]


async def test_a_record_is_told_whole(served: House) -> None:
    it = record(
        parent_span_id="00f067aa0ba902b7",
        revision="rev",
        token_id="abc",
        tool_call_id="call_1",
        labels={"env": "test"},
        state=State.FAILED,
        isolation_level=2,
        start_time=MOMENT + 500,
        input_json='{"a":1}',
        failure=HandlerTimeout(tool="echo", timeout=30).failure(),
        usage=Usage(1500, 4096),
        interrupted=True,
    )
    served.traces.begin(it, retry_safe=False)
    served.traces.append(
        it.invocation_id, Event(MOMENT + 600, EventKind.LOG, {"message": "hi", "fields": {"n": 1}})
    )
    served.traces.end(it)
    told, (event,) = await get(served, it.invocation_id)
    assert told.create_time.ToMicroseconds() == MOMENT
    assert told.start_time.ToMicroseconds() == MOMENT + 500
    assert told.end_time.ToMicroseconds() == MOMENT + 2500
    assert told.duration == Duration(nanos=2_500_000)
    assert told.state == trace_pb2.STATE_FAILED
    assert told.failure.reason == error_reason_pb2.ERROR_REASON_HANDLER_TIMEOUT
    assert told.cpu_time == Duration(nanos=1_500_000)
    same = (
        "invocation_id", "trace_id", "span_id", "parent_span_id", "tool", "revision", "caller", "token_id",
        "tool_call_id", "isolation_level", "input_json", "output_json", "interrupted",
    )  # fmt: skip
    assert {name: getattr(told, name) for name in same} == {name: getattr(it, name) for name in same}
    assert (dict(told.labels), told.memory_peak_bytes) == ({"env": "test"}, 4096)
    assert (event.kind, event.time.ToMicroseconds(), event.sequence > 0) == ("log", MOMENT + 600, True)
    assert event.body.fields["fields"].struct_value.fields["n"].number_value == 1


async def test_what_did_not_happen_is_absent(served: House) -> None:
    it = record(state=State.RUNNING, end_time=0)
    served.traces.begin(it, retry_safe=False)
    told, events = await get(served, it.invocation_id)
    present = {field.name for field, _ in told.ListFields()}
    assert present.isdisjoint({"start_time", "end_time", "duration", "failure"})
    assert events == []


async def test_another_callers_record_is_not_found_like_one_that_does_not_exist(served: House) -> None:
    mine, theirs = record("bob"), record("ada")
    keep(served, mine, theirs)
    bob = await served.token("traces", caller="bob")
    assert (await get(served, mine.invocation_id, bob))[0].caller == "bob"
    words = set()
    for wanted in (theirs.invocation_id, new_id("inv")):
        error = await refusal(get(served, wanted, bob))
        assert info(error).reason == "INVOCATION_NOT_FOUND"
        words.add((error.details() or "").replace(wanted, ""))
    assert len(words) == 1
    everybody = await served.token("traces", "traces.all", caller="eve")
    assert (await get(served, theirs.invocation_id, everybody))[0].caller == "ada"


async def test_lists_hold_ones_own_and_everybodys_by_grant(served: House) -> None:
    mine, theirs = record("bob"), record("ada")
    keep(served, mine, theirs)
    bob = await served.token("traces", caller="bob")
    assert await listed(served, bob) == [mine.invocation_id]
    assert await listed(served, bob, caller="bob") == [mine.invocation_id]
    error = await refusal(listed(served, bob, caller="ada"))
    assert info(error).reason == "RPC_FORBIDDEN"
    assert info(error).metadata["group"] == "traces.all"
    assert await listed(served) == [theirs.invocation_id, mine.invocation_id]
    assert await listed(served, caller="bob") == [mine.invocation_id]


async def test_every_filter_chooses(served: House) -> None:
    wanted = record(
        tool="search", tool_call_id="call_1", labels={"env": "a", "n": "1"}, state=State.FAILED,
        create_time=MOMENT + 1, failure=HandlerTimeout(tool="search").failure(),
    )  # fmt: skip
    keep(served, wanted, record(labels={"env": "a"}))
    for choice in (
        {"tool": "search"},
        {"state": trace_pb2.STATE_FAILED},
        {"tool_call_id": "call_1"},
        {"trace_id": wanted.trace_id},
        {"labels": {"env": "a", "n": "1"}},
        {"create_time_from": Timestamp(seconds=MOMENT // 10**6, nanos=123_457_000)},
    ):
        assert await listed(served, **choice) == [wanted.invocation_id], choice
    assert len(await listed(served, labels={"env": "a"})) == 2
    assert await listed(served, tool="other") == []


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"state": 77}, "filter.state"),
        ({"state": -1}, "filter.state"),
        ({"trace_id": "xyz"}, "filter.trace_id"),
        ({"tool": "x" * 65}, "filter.tool"),
        ({"tool_call_id": "a\nb"}, "filter.tool_call_id"),
        ({"labels": {"Env": "a"}}, "filter.labels"),
        ({"create_time_from": Timestamp(seconds=-1)}, "filter.create_time_from"),
        ({"create_time_from": Timestamp(seconds=2**62)}, "filter.create_time_from"),
        ({"create_time_from": Timestamp(nanos=-1)}, "filter.create_time_from"),
        ({"create_time_from": Timestamp(nanos=2_000_000_000)}, "filter.create_time_from"),
    ],
)
async def test_a_filter_that_means_nothing_is_named(
    served: House, wanted: dict[str, object], path: str
) -> None:
    error = await refusal(listed(served, **wanted))
    assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", [path])


@pytest.mark.parametrize(
    "wrong", ["", "inv_", "inv_" + "x" * 27, "job_" + "x" * 26, "inv_" + "X" * 26, "' OR 1=1 --"]
)
async def test_what_is_no_id_is_named(served: House, wrong: str) -> None:
    error = await refusal(get(served, wrong))
    assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", ["invocation_id"])


async def pages(served: House, size: int) -> list[list[str]]:
    found, token = [], ""
    while True:
        request = ListInvocationsRequest(page_size=size, page_token=token)
        answer = await served.trace.ListInvocations(request, metadata=served.metadata)
        assert answer.ByteSize() < 4 << 20
        found.append([it.invocation_id for it in answer.invocations])
        token = answer.next_page_token
        if not token:
            return found


@pytest.mark.parametrize("size", [1, 7, 8, 9, 24, 25, 26, 1000])
async def test_pages_hold_every_record_once_newest_first(served: House, size: int) -> None:
    records = [record() for _ in range(25)]
    keep(served, *records)
    found = await pages(served, size)
    assert [one for page in found for one in page] == [it.invocation_id for it in reversed(records)]
    assert all(len(page) == size for page in found[:-1])


async def test_no_page_is_too_large_for_a_client(served: House) -> None:
    records = [record(input_json='"' + "x" * (1 << 20) + '"') for _ in range(5)]
    keep(served, *records)
    found = await pages(served, 50)
    assert [len(page) for page in found] == [2, 2, 1]


async def test_a_token_of_another_filter_is_refused(served: House) -> None:
    keep(served, record(), record())
    first = await served.trace.ListInvocations(ListInvocationsRequest(page_size=1), metadata=served.metadata)
    request = ListInvocationsRequest(page_token=first.next_page_token, filter=InvocationFilter(tool="echo"))
    error = await refusal(served.trace.ListInvocations(request, metadata=served.metadata))
    assert info(error).reason == "PAGE_TOKEN_INVALID"


async def test_events_that_do_not_fit_are_counted(served: House) -> None:
    it = record()
    served.traces.begin(it, retry_safe=False)
    for _ in range(40):
        served.traces.append(it.invocation_id, Event(MOMENT, EventKind.STDOUT, {"text": "x" * 100_000}))
    served.traces.end(it)
    _, events = await get(served, it.invocation_id)
    assert events[-1].kind == "truncated"
    shown = [event for event in events if event.kind == "stdout"]
    assert 0 < len(shown) < 40


async def test_an_event_that_no_client_could_parse_is_shown_as_text(served: House) -> None:
    deep: object = 1
    for _ in range(90):
        deep = {"a": deep}
    it = record()
    served.traces.begin(it, retry_safe=False)
    served.traces.append(
        it.invocation_id, Event(MOMENT, EventKind.LOG, {"fields": deep, "message": "\ud800"})
    )
    served.traces.end(it)
    _, (event,) = await get(served, it.invocation_id)
    assert '"a"' in event.body.fields["json"].string_value
