"""The stream of events to the slow and the late: each event once, or a gap that says so."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.conformance.store.samples import DAY, NOW, StillClock, invocation, log, open_on
from tests.conformance.store.streams import ALL, call, events, first, follow, replay, take, told
from toolcell.store.happenings import EventFilter
from toolcell.store.lifecycle import Store

# ── many events, slow readers ───────────────────────────────────────────────────────────────────────────────


async def test_one_that_was_slow_reads_everything_and_is_told_that_it_is_behind(store: Store) -> None:
    slow = follow(store)
    await first(slow)
    records = [call(store, *("x" * 200 for _ in range(50))) for _ in range(30)]
    batches = [await first(slow)]
    while batches[-1].is_behind:
        batches.append(await first(slow))
    assert len(batches) > 5
    assert len(events(batches)) == 30 * 52
    assert [each.subject.invocation_id for each in events(batches)][::52] == [
        record.invocation_id for record in records
    ]
    slow.close()


async def test_large_events_come_one_by_one(store: Store) -> None:
    call(store, *(letter * 100_000 for letter in "abc"))
    batches = await replay(store)
    assert [len(batch.events) for batch in batches if batch.events] == [1, 1, 1, 1, 1]
    assert told(events(batches)) == ["STARTED", "a" * 100_000, "b" * 100_000, "c" * 100_000, "ENDED"]


async def test_a_reader_goes_from_the_database_to_memory_without_a_seam(store: Store) -> None:
    call(store, "1")
    following = follow(store, ALL, "0")
    call(store, "2")
    seen = await take(following, 3)
    call(store, "3")
    seen += await take(following, 6)
    assert told(seen) == ["STARTED", "1", "ENDED", "STARTED", "2", "ENDED", "STARTED", "3", "ENDED"]
    following.close()


async def test_a_filter_that_matches_nothing_keeps_its_cursor_up_to_date(store: Store) -> None:
    following = follow(store, EventFilter(tool="nothing"))
    start = await first(following)
    for _ in range(200):
        call(store, *("x" for _ in range(60)))
    batch = await first(following)
    assert batch.events == []
    assert batch.cursor != start.cursor
    following.close()


async def test_a_finished_stream_tells_what_happened_until_then(store: Store) -> None:
    following = follow(store)
    await first(following)
    waiting = asyncio.ensure_future(first(following))
    await asyncio.sleep(0)
    call(store, "1")
    following.finish()
    call(store, "after")
    seen = list((await waiting).events) + events([batch async for batch in following])
    assert told(seen) == ["STARTED", "1", "ENDED"]
    following.close()


# ── restarts and retention ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_cursor_resumes_after_a_restart(tmp_path: Path, is_clean: bool) -> None:
    store = await open_on("sqlite-file", tmp_path)
    call(store, "1")
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    batches = await replay(store)
    assert told(events(batches)) == ["STARTED", "1", "ENDED", "STARTED"]
    await store.pruner.close()
    if is_clean:
        await store.close()
    else:  # as a dying process leaves it
        store._drain._task.cancel()
        store.traces.append(record.invocation_id, log("last words"))
        await store._database.close()
        store._home.abandon()
    store = await open_on("sqlite-file", tmp_path, clock=StillClock(NOW + 1000))
    assert store.interrupted == 1
    later = events(await replay(store, ALL, batches[-1].cursor))
    assert told(later) == ["ENDED"] if is_clean else ["last words", "ENDED"]
    assert later[0].sequence > events(batches)[-1].sequence
    assert later[-1].subject.invocation_id == record.invocation_id
    assert later[-1].is_failure
    assert json.loads(later[-1].body) == {
        "state": "FAILED",
        "duration": 0.001,
        "reason": "NODE_LOST",
        "message": "search_customer was interrupted. Calling it again is safe.",
        "executed": "MAYBE",
        "interrupted": True,
    }
    call(store, "new")
    assert told(events(await replay(store, ALL, batches[-1].cursor)))[-3:] == ["STARTED", "new", "ENDED"]
    assert len({each.sequence for each in events(await replay(store))}) == len(events(await replay(store)))
    await store.close()


async def test_what_retention_took_is_a_gap_and_the_rest_follows(store: Store, clock: StillClock) -> None:
    before = (await replay(store, ALL, ""))[0].cursor
    call(store, "old")
    middle = (await replay(store, ALL, ""))[0].cursor
    call(store, "old too")
    old = events(await replay(store))
    clock.now = NOW + 8 * DAY
    call(store, "new", create_time=clock.now)
    assert await store.pruner.prune() == 2
    for cursor, lost in ((before, old), (middle, old[3:])):
        batches = await replay(store, ALL, cursor)
        (gap,) = [batch.gap for batch in batches if batch.gap]
        assert gap == (lost[0].sequence, lost[-1].sequence)
        assert told(events(batches)) == ["STARTED", "new", "ENDED"]
    assert [batch.gap for batch in await replay(store) if batch.gap] == []  # the oldest kept has no gap


async def test_a_reader_that_retention_overtakes_is_told(store: Store, clock: StillClock) -> None:
    call(store, *("x" * 1000 for _ in range(100)))
    following = follow(store, ALL, "0")
    await first(following)
    seen = list((await first(following)).events)
    clock.now = NOW + 8 * DAY
    call(store, "new", create_time=clock.now)
    await store.traces.get("inv_none")
    await store.pruner.prune()
    batch = await first(following)
    assert batch.gap is not None
    assert batch.gap[0] == seen[-1].sequence + 1
    assert told(await take(following, 3)) == ["STARTED", "new", "ENDED"]
    following.close()
