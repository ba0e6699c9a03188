"""The stream of events: which are told, the same live and from the database, and what a cursor is."""

import json
from pathlib import Path

import pytest

from tests.conformance.store.samples import ended, invocation, log, open_on
from tests.conformance.store.streams import ALL, FAILURE, call, events, first, follow, replay, take, told
from toolcell.model.errors import CursorInvalid
from toolcell.model.span import Event, EventKind, State
from toolcell.store.happenings import EventFilter
from toolcell.store.lifecycle import Store

# ── what is told ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_is_told_from_its_start_to_its_end(store: Store) -> None:
    following = follow(store)
    assert (await first(following)).events == []
    record = call(store, "1", "2", tool_call_id="call_1", labels={"a": "b"})
    found = await take(following, 4)
    assert told(found) == ["STARTED", "1", "2", "ENDED"]
    assert [each.sequence for each in found] == sorted({each.sequence for each in found})
    for each in found:
        assert each.subject.invocation_id == record.invocation_id
        assert (each.subject.tool, each.subject.caller) == (record.tool, record.caller)
        assert (each.subject.trace_id, each.subject.tool_call_id) == (record.trace_id, "call_1")
        assert each.subject.labels == {"a": "b"}
    assert json.loads(found[-1].body) == {"state": "SUCCEEDED", "duration": 5e-6}
    assert [each.is_failure for each in found] == [False] * 4
    following.close()


async def test_the_database_tells_exactly_what_was_told_live(store: Store) -> None:
    following = follow(store)
    call(store, "plain", "ü\ud800", labels={"k": "\udfff", "n": "1"}, tool_call_id="c")
    queued = invocation(state=State.PENDING)
    store.traces.begin(queued, retry_safe=False)
    queued.state = State.RUNNING
    store.traces.begin(queued, retry_safe=False)
    store.traces.append(queued.invocation_id, Event(7, EventKind.PROGRESS, {"fraction": 0.5, "t": (1, None)}))
    store.traces.end(ended(queued, state=State.FAILED, failure=FAILURE, output_json=""))
    store.traces.end(ended(invocation(), state=State.CANCELLED, failure=None))
    live = await take(following, 8)
    following.close()
    assert told(live) == ["STARTED", "plain", "ü\ud800", "ENDED", "STARTED", "PROGRESS", "ENDED", "ENDED"]
    assert events(await replay(store)) == live


async def test_a_failure_ends_with_its_reason_and_without_its_details(store: Store) -> None:
    store.traces.end(ended(invocation(), state=State.FAILED, failure=FAILURE, output_json=""))
    (end,) = events(await replay(store))
    assert end.is_failure
    assert json.loads(end.body) == {
        "state": "FAILED",
        "duration": 5e-6,
        "reason": "TOOL_ERROR",
        "message": "no such customer",
        "executed": "YES",
    }


async def test_a_record_lists_what_happened_between_start_and_end(store: Store) -> None:
    record = call(store, "1")
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert [event for _, event in found[1]] == [log("1")]


# ── which events ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (EventFilter(tool="t2"), "bbb"),
        (EventFilter(caller="bob"), "bbbccc"),
        (EventFilter(caller="bob", tool="t2"), "bbb"),
        (EventFilter(trace_id="ff" * 16), "aaabbb"),
        (EventFilter(trace_id="ff" * 16, tool="t2"), "bbb"),
        (EventFilter(tool_call_id="call_7"), "ccc"),
        (EventFilter(job_id="job_1"), "ccc"),
        (EventFilter(labels={"s": "1"}), "aaabbb"),
        (EventFilter(labels={"s": "1", "u": "x"}), "bbb"),
        (EventFilter(labels={"s": "2"}), ""),
        (EventFilter(only_failed=True), "de"),
        (EventFilter(only_failed=True, tool="t2"), ""),
        (EventFilter(only_failed=True, trace_id="0" * 32), "e"),
        (EventFilter(tool="t' OR 1=1 --"), ""),
    ],
)
async def test_a_filter_chooses_the_same_live_and_later(
    store: Store, chosen: EventFilter, wanted: str
) -> None:
    following, everything = follow(store, chosen), follow(store)
    names = {
        call(store, "x", trace_id="ff" * 16, labels={"s": "1"}).invocation_id: "a",
        call(
            store, "x", tool="t2", caller="bob", trace_id="ff" * 16, labels={"s": "1", "u": "x"}
        ).invocation_id: "b",
        call(store, "x", caller="bob", tool_call_id="call_7", job_id="job_1").invocation_id: "c",
    }
    for name, more in (("d", {}), ("e", {"trace_id": "0" * 32})):
        record = invocation(**more)
        store.traces.begin(record, retry_safe=True)
        store.traces.end(ended(record, state=State.FAILED, failure=FAILURE, output_json=""))
        names[record.invocation_id] = name
    assert len(await take(everything, 13)) == 13
    live = await take(following, len(wanted))
    assert "".join(names[each.subject.invocation_id] for each in live) == wanted
    following.close()
    everything.close()
    assert events(await replay(store, chosen)) == live


async def test_an_invocation_can_be_chosen(store: Store) -> None:
    call(store, "other")
    record = call(store, "mine")
    chosen = EventFilter(invocation_id=record.invocation_id)
    assert told(events(await replay(store, chosen))) == ["STARTED", "mine", "ENDED"]


# ── cursors ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_batch_comes_at_once_and_names_the_present(store: Store) -> None:
    call(store)
    now = await first(follow(store))
    assert (now.events, now.gap, now.is_behind) == ([], None, False)
    call(store, "later")
    assert told(events(await replay(store, ALL, now.cursor))) == ["STARTED", "later", "ENDED"]


async def test_without_following_a_stream_ends_with_what_there_is(store: Store) -> None:
    assert [batch.events for batch in await replay(store, ALL, "")] == [[]]
    call(store, "1")
    batches = await replay(store)
    assert told(events(batches)) == ["STARTED", "1", "ENDED"]
    assert [batch.events for batch in await replay(store, ALL, batches[-1].cursor)] == [[]]


async def test_every_events_cursor_resumes_right_after_it(store: Store) -> None:
    call(store, *"123456")
    following = follow(store)
    found = events(await replay(store))
    for index, happening in enumerate(found):
        after = following.cursor_after(happening.sequence)
        assert events(await replay(store, ALL, after)) == found[index + 1 :]
    following.close()


@pytest.mark.parametrize("cursor", ["x", "1", "-1", "1-", "0-zz", "1-ffffffffffff", " 0", "٣-1", "9" * 40])
async def test_a_cursor_this_server_did_not_give_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        follow(store, ALL, cursor)


async def test_a_cursor_from_the_future_or_of_another_store_is_refused(
    store: Store, kind: str, tmp_path: Path
) -> None:
    now = (await first(follow(store))).cursor
    number, _, name = now.partition("-")
    with pytest.raises(CursorInvalid):
        follow(store, ALL, f"{int(number) + 1}-{name}")
    other = await open_on(kind, tmp_path / "other")
    with pytest.raises(CursorInvalid):
        follow(other, ALL, now)
    await other.close()
