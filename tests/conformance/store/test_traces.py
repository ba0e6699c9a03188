"""Records of invocations and their events are the same on every database."""

import asyncio
from typing import Any

import pytest

from tests.conformance.store.samples import NOW, ended, invocation, log
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.span import Event, EventKind, Invocation, State, Usage
from toolcell.store.interface import TraceFilter
from toolcell.store.lifecycle import Store

EVERYTHING = TraceFilter()


def call(store: Store, **more: Any) -> Invocation:
    """Records a whole call."""
    record = invocation(**more)
    store.traces.begin(record, retry_safe=True)
    store.traces.end(ended(record))
    return record


# ── one record ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_that_runs_is_seen_at_once(store: Store) -> None:
    record = invocation(labels={"session": "s 1", "Größe": "☃"})
    store.traces.begin(record, retry_safe=True)
    assert await store.traces.get(record.invocation_id) == (record, [])


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_call_that_waited_begins_twice(store: Store, is_seen: bool) -> None:
    record = invocation(state=State.PENDING)
    store.traces.begin(record, retry_safe=True)
    if is_seen:
        assert await store.traces.get(record.invocation_id) == (record, [])
    record.state = State.RUNNING
    store.traces.begin(record, retry_safe=True)
    assert await store.traces.get(record.invocation_id) == (record, [])
    store.traces.end(ended(record))
    assert await store.traces.get(record.invocation_id) == (record, [])


async def test_a_record_comes_back_with_everything_it_had(store: Store) -> None:
    record = invocation(
        parent_span_id="ab" * 8, tool_call_id="call_1", labels={"a": "b"}, input_json='{"q":"日本\\u0000"}'
    )
    store.traces.begin(record, retry_safe=False)
    failure = Failure(
        Reason.TOOL_ERROR, "no such customer", {"hint": ["ü", 1, None]}, executed=Executed.YES, attempt=2
    )
    ended(
        record,
        state=State.FAILED,
        output_json="",
        failure=failure,
        usage=Usage(1200, 1 << 40),
        isolation_level=3,
    )
    store.traces.end(record)
    assert await store.traces.get(record.invocation_id) == (record, [])


@pytest.mark.parametrize("is_seen", [True, False])
async def test_arguments_that_are_not_repeated_at_the_end_are_kept(store: Store, is_seen: bool) -> None:
    record = invocation(input_json='{"large":1}')
    store.traces.begin(record, retry_safe=True)
    if is_seen:  # so that beginning and end reach the database apart
        await store.traces.get(record.invocation_id)
    store.traces.end(ended(record))
    assert await store.traces.get(record.invocation_id) == (record, [])


@pytest.mark.parametrize("is_seen", [True, False])
async def test_arguments_that_were_changed_meanwhile_are_the_last_ones(store: Store, is_seen: bool) -> None:
    record = invocation(input_json='{"before":1}')
    store.traces.begin(record, retry_safe=True)
    if is_seen:
        await store.traces.get(record.invocation_id)
    store.traces.end(ended(record, input_json='{"after":1}'))
    assert await store.traces.get(record.invocation_id) == (record, [])


async def test_what_was_seen_running_is_seen_ended_later(store: Store) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    await store.traces.get(record.invocation_id)
    store.traces.end(ended(record, tool="renamed", labels={"late": "label"}))
    assert await store.traces.get(record.invocation_id) == (record, [])
    assert await store.traces.page(TraceFilter(labels={"late": "label"}), "", 10) == [record]


async def test_a_refused_call_has_an_end_without_a_beginning(store: Store) -> None:
    failure = Failure(Reason.INPUT_INVALID, "Arguments rejected", executed=Executed.NO)
    record = ended(invocation(start_time=0), state=State.FAILED, output_json="", failure=failure)
    store.traces.end(record)
    assert await store.traces.get(record.invocation_id) == (record, [])


async def test_text_that_is_no_unicode_is_kept_escaped(store: Store) -> None:
    record = invocation(input_json='{"q": "\ud800"}', labels={"k": "\udfff"})
    store.traces.end(ended(record))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert found[0].input_json == '{"q": "\\ud800"}'
    assert found[0].labels == {"k": "\udfff"}


async def test_an_unknown_invocation_is_none(store: Store) -> None:
    assert await store.traces.get("inv_unknown") is None


async def test_what_changes_after_the_end_does_not_change_the_record(store: Store) -> None:
    record = call(store)
    record.output_json = "changed"
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert found[0].output_json == '{"found":1}'


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_come_back_in_order_with_growing_numbers(store: Store) -> None:
    record, other = invocation(), invocation()
    events = [
        log("1"),
        Event(NOW, EventKind.PROGRESS, {"fraction": 0.5}),
        Event(1, EventKind.STDOUT, {"text": "ü\ud800"}),
    ]
    for each in (record, other):
        store.traces.begin(each, retry_safe=True)
    for event in events:
        store.traces.append(record.invocation_id, event)
        store.traces.append(other.invocation_id, log("other"))
    store.traces.end(ended(record))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    numbers, seen = zip(*found[1], strict=True)
    assert list(seen) == events
    assert list(numbers) == sorted(set(numbers))


async def test_events_are_seen_while_the_call_runs(store: Store) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    store.traces.append(record.invocation_id, log("so far"))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert [event for _, event in found[1]] == [log("so far")]


async def test_no_number_is_given_twice_in_the_whole_server(store: Store) -> None:
    records = [invocation() for _ in range(20)]
    for record in records:
        store.traces.begin(record, retry_safe=True)
        for number in range(5):
            store.traces.append(record.invocation_id, log(str(number)))
        store.traces.end(ended(record))
    numbers = []
    for record in records:
        found = await store.traces.get(record.invocation_id)
        assert found is not None
        numbers += [number for number, _ in found[1]]
    assert len(numbers) == len(set(numbers)) == 100


async def test_an_event_of_a_call_that_does_not_run_is_passed_over(store: Store) -> None:
    record = call(store)
    store.traces.append(record.invocation_id, log("late"))
    store.traces.append("inv_unknown", log("stray"))
    assert await store.traces.get(record.invocation_id) == (record, [])
    assert await store._database.query("events", {"invocation_id": "inv_unknown"}) == []


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pages_are_newest_first_and_join_up(store: Store) -> None:
    records = [call(store) for _ in range(7)]
    seen: list[Invocation] = []
    while page := await store.traces.page(EVERYTHING, seen[-1].invocation_id if seen else "", 3):
        seen += page
    assert seen == sorted(records, key=lambda each: each.invocation_id, reverse=True)


async def test_a_page_goes_on_where_it_was_though_new_calls_came(store: Store) -> None:
    records = sorted((call(store) for _ in range(4)), key=lambda each: each.invocation_id, reverse=True)
    first = await store.traces.page(EVERYTHING, "", 2)
    call(store)
    assert first + await store.traces.page(EVERYTHING, first[-1].invocation_id, 10) == records


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (TraceFilter(), "abcdef"),
        (TraceFilter(tool="t2"), "b"),
        (TraceFilter(caller="bob"), "bc"),
        (TraceFilter(tool="t2", caller="ada"), ""),
        (TraceFilter(state=State.RUNNING), "d"),
        (TraceFilter(state=State.SUCCEEDED), "abce"),
        (TraceFilter(state=State.PENDING), "f"),
        (TraceFilter(tool_call_id="call_7"), "c"),
        (TraceFilter(trace_id="ff" * 16), "e"),
        (TraceFilter(labels={"session": "1"}), "ab"),
        (TraceFilter(labels={"session": "1", "user": "x"}), "b"),
        (TraceFilter(labels={"session": "1", "user": "y"}), ""),
        (TraceFilter(labels={"session": "1"}, caller="bob"), "b"),
        (TraceFilter(create_time_from=NOW + 5), "ef"),
        (TraceFilter(tool="t' OR 1=1 --"), ""),
        (TraceFilter(labels={"') --": "x"}), ""),
    ],
)
async def test_a_filter_chooses(store: Store, chosen: TraceFilter, wanted: str) -> None:
    made = {
        "a": call(store, labels={"session": "1"}),
        "b": call(store, tool="t2", caller="bob", labels={"session": "1", "user": "x"}),
        "c": call(store, caller="bob", tool_call_id="call_7", labels={"session": "2"}),
        "d": invocation(),
        "e": call(store, trace_id="ff" * 16, create_time=NOW + 5),
        "f": invocation(state=State.PENDING, create_time=NOW + 6),
    }
    store.traces.begin(made["d"], retry_safe=True)
    store.traces.begin(made["f"], retry_safe=True)
    names = {record.invocation_id: name for name, record in made.items()}
    found = [names[each.invocation_id] for each in await store.traces.page(chosen, "", 10)]
    assert "".join(sorted(found)) == wanted
    cursor = made["c"].invocation_id
    after = await store.traces.page(chosen, cursor, 10)
    assert [names[each.invocation_id] for each in after] == [
        name for name in found if made[name].invocation_id < cursor
    ]


# ── reading what is being written ───────────────────────────────────────────────────────────────────────────


async def test_many_readers_each_see_what_was_written_before_they_asked(store: Store) -> None:
    async def write_and_read() -> None:
        for _ in range(20):
            record = call(store)
            assert await store.traces.get(record.invocation_id) == (record, [])

    await asyncio.gather(*(write_and_read() for _ in range(8)))


async def test_a_reader_that_goes_away_leaves_the_others_in_peace(store: Store) -> None:
    record = call(store)
    leaver = asyncio.create_task(store.traces.get(record.invocation_id))
    stayer = asyncio.create_task(store.traces.get(record.invocation_id))
    await asyncio.sleep(0)
    leaver.cancel()
    assert await stayer == (record, [])
    assert leaver.cancelled()
