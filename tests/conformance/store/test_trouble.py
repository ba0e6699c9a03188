"""A full or failing disk is a clear refusal, never a lost record, and over when there is room again."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.samples import NOW, StillClock, ended, invocation, log, open_on, token
from toolcell.model.errors import Executed, Failure, PlatformFault, Reason, StoreFull, StoreUnavailable
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.store.interface import TraceFilter
from toolcell.store.lifecycle import Store

SPOOL_BYTES = 20_000


@pytest.fixture
async def store(kind: str, tmp_path: Path, clock: StillClock) -> AsyncIterator[Store]:
    opened = await open_on(kind, tmp_path, clock=clock, spool_bytes=SPOOL_BYTES)
    await opened.pruner.close()  # it writes too, and this is about others who do
    yield opened
    await opened.close()


@contextmanager
def spool_disk_is_full(store: Store) -> Iterator[None]:
    """Has the spool write where every write fails for lack of room."""
    segment = store._spool._active
    own, segment.descriptor = segment.descriptor, os.open("/dev/full", os.O_WRONLY)
    try:
        yield
    finally:
        os.close(segment.descriptor)
        segment.descriptor = own


@contextmanager
def database_refuses(store: Store, error: Exception) -> Iterator[None]:
    """Has every transaction refused."""
    database: Any = store._database
    own = database.transaction

    async def refuse(*_: object, **__: object) -> list[list[Any]]:
        raise error

    database.transaction = refuse
    try:
        yield
    finally:
        database.transaction = own


# ── the spool's disk ────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_begins_on_a_full_disk_and_the_next_call_does_when_there_is_room(store: Store) -> None:
    record = invocation()
    with spool_disk_is_full(store), pytest.raises(StoreFull, match="The spool cannot grow: No space left"):
        store.traces.begin(record, retry_safe=True)
    assert await store.traces.get(record.invocation_id) is None
    store.traces.begin(record, retry_safe=True)
    assert await store.traces.get(record.invocation_id) == (record, [])


@pytest.mark.parametrize(("safe", "reason"), [(True, Reason.NODE_LOST), (False, Reason.OUTCOME_UNKNOWN)])
async def test_an_end_that_cannot_be_written_is_refused_and_the_record_says_so(
    store: Store, safe: bool, reason: Reason
) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=safe)
    with spool_disk_is_full(store), pytest.raises(StoreFull):
        store.traces.end(ended(record))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    kept, _ = found
    assert (kept.state, kept.output_json, kept.end_time) == (State.FAILED, "", NOW + 5)
    assert kept.failure is not None
    assert kept.failure.reason is reason


@pytest.mark.parametrize(
    "end",
    [
        {"state": State.CANCELLED, "failure": Failure(Reason.CANCELLED, "The call was cancelled.")},
        {"state": State.FAILED, "failure": Failure(Reason.QUEUE_FULL, "Wait.", executed=Executed.NO)},
    ],
)
async def test_that_a_call_was_cancelled_or_refused_is_recorded_as_it_is(
    store: Store, end: dict[str, Any]
) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    with spool_disk_is_full(store), pytest.raises(StoreFull):
        store.traces.end(ended(record, output_json="", **end))
    assert await store.traces.get(record.invocation_id) == (record, [])


async def test_an_end_without_a_beginning_that_cannot_be_written_leaves_nothing(store: Store) -> None:
    record = ended(invocation(), state=State.FAILED)
    with spool_disk_is_full(store), pytest.raises(StoreFull):
        store.traces.end(record)
    assert await store.traces.get(record.invocation_id) is None


async def test_events_that_find_no_place_are_counted_in_the_trace(store: Store, clock: StillClock) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    store.traces.append(record.invocation_id, log("kept"))
    with spool_disk_is_full(store):
        store.traces.append(record.invocation_id, log("lost"))
        store.traces.append(record.invocation_id, log("lost too"))
    store.traces.end(ended(record))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert [event for _, event in found[1]] == [
        log("kept"),
        Event(clock.wall(), EventKind.TRUNCATED, {"dropped": 2}),
    ]


# ── the database ────────────────────────────────────────────────────────────────────────────────────────────


async def test_calls_go_on_while_the_database_refuses_and_are_there_when_it_does_not(store: Store) -> None:
    records = [invocation() for _ in range(5)]
    with database_refuses(store, StoreUnavailable("The database is away.")):
        for record in records:
            store.traces.begin(record, retry_safe=True)
            store.traces.end(ended(record))
        with pytest.raises(StoreUnavailable, match="The database is away"):
            await store.traces.get(records[0].invocation_id)
    assert len(await store.traces.page(TraceFilter(), "", 10)) == 5


async def test_when_too_much_waits_nothing_begins_but_what_runs_can_end(store: Store) -> None:
    first = invocation()
    store.traces.begin(first, retry_safe=True)
    begun: list[Invocation] = []
    with database_refuses(store, StoreFull("The disk is full.")):
        while not store._spool.is_full:
            begun.append(invocation())
            store.traces.begin(begun[-1], retry_safe=True)
        late = invocation()
        with pytest.raises(StoreFull, match=r"wait for the database\. Send less"):
            store.traces.begin(late, retry_safe=True)
        store.traces.append(first.invocation_id, log("no place"))
        store.traces.end(ended(first))
    found = await store.traces.get(first.invocation_id)
    assert found is not None
    assert found[0] == first
    assert [event.kind for _, event in found[1]] == [EventKind.TRUNCATED]
    assert len(await store.traces.page(TraceFilter(), "", 1000)) == 1 + len(begun)
    store.traces.begin(late, retry_safe=True)


async def test_it_drains_by_itself_once_the_database_is_back(store: Store) -> None:
    database: Any = store._database
    own, tried, drained = database.transaction, asyncio.Event(), asyncio.Event()

    async def fail_once(*_: object, **__: object) -> list[list[Any]]:
        tried.set()
        database.transaction = then_work
        raise StoreUnavailable("Not now.")

    async def then_work(*arguments: Any, **more: Any) -> list[list[Any]]:
        done: list[list[Any]] = await own(*arguments, **more)
        drained.set()
        return done

    database.transaction = fail_once
    store.traces.end(ended(invocation()))
    await tried.wait()
    await drained.wait()
    assert store._spool.is_drained


async def test_a_row_that_the_database_rejects_is_left_out_and_told(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = ended(invocation()), ended(invocation(input_json="private"))
    bad.isolation_level = None  # type: ignore[assignment]  # what a bug might do
    store.traces.end(bad)
    store.traces.end(good)
    assert await store.traces.page(TraceFilter(), "", 10) == [good]
    assert [record.getMessage() for record in caplog.records] == ["lost row 1 (end): IntegrityError"]


async def test_a_defect_leaves_no_reader_waiting(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    record = ended(invocation())
    store.traces.end(record)
    with database_refuses(store, ValueError("a bug")), pytest.raises(StoreUnavailable, match="ValueError"):
        await store.traces.get(record.invocation_id)
    assert await store.traces.get(record.invocation_id) == (record, [])
    assert caplog.records == []  # nothing was lost


# ── a store that is closed ──────────────────────────────────────────────────────────────────────────────────


async def test_a_closed_store_refuses_and_never_hangs(kind: str, tmp_path: Path) -> None:
    store = await open_on(kind, tmp_path / "other")
    await store.close()
    with pytest.raises(StoreUnavailable):
        store.traces.begin(invocation(), retry_safe=True)
    with pytest.raises(StoreUnavailable):
        await store.traces.get("inv_1")
    with pytest.raises(StoreUnavailable):
        await store.tokens.add(token())
    with pytest.raises(StoreUnavailable):
        await store.tokens.load()


async def test_what_the_database_did_not_take_before_closing_is_there_at_the_next_start(
    tmp_path: Path,
) -> None:
    records = [ended(invocation()) for _ in range(3)]
    store = await open_on("sqlite-file", tmp_path / "other")
    await store.pruner.close()
    with database_refuses(store, StoreFull("The disk is full.")):
        for record in records:
            store.traces.end(record)
        late = asyncio.create_task(store.traces.get(records[0].invocation_id))
        await store.close()
    with pytest.raises(PlatformFault):
        await late
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        await store.traces.get(records[0].invocation_id)
    store = await open_on("sqlite-file", tmp_path / "other")
    for record in records:
        assert await store.traces.get(record.invocation_id) == (record, [])
    assert store.interrupted == 0
    await store.close()
