"""What is too old or too much goes, on every database."""

from pathlib import Path

from tests.conformance.store.samples import DAY, NOW, StillClock, ended, invocation, log, open_on
from toolcell.model.span import Invocation
from toolcell.store.interface import Retention, TraceFilter
from toolcell.store.lifecycle import Store


def fill(
    store: Store, count: int, *, size: int = 100, events: int = 0, create_time: int = NOW
) -> list[Invocation]:
    """Records whole calls, oldest first."""
    made = []
    for number in range(count):
        record = invocation(
            input_json="x" * size, labels={"n": str(number)}, create_time=create_time + number
        )
        store.traces.begin(record, retry_safe=True)
        for _ in range(events):
            store.traces.append(record.invocation_id, log("x" * 50))
        store.traces.end(ended(record))
        made.append(record)
    return made


async def left(store: Store) -> list[str]:
    return [each.invocation_id for each in await store.traces.page(TraceFilter(), "", 1000)]


async def test_old_invocations_go_with_their_events_and_labels(store: Store, clock: StillClock) -> None:
    old = fill(store, 150, events=10)
    new = fill(store, 3, events=1, create_time=NOW + DAY)
    await left(store)
    clock.now = NOW + 7 * DAY + 1000
    assert await store.pruner.prune() == 150
    assert sorted(await left(store)) == sorted(each.invocation_id for each in new)
    assert await store.traces.page(TraceFilter(labels={"n": "5"}), "", 10) == []
    for record in old:
        assert await store.traces.get(record.invocation_id) is None
        assert await store._database.query("events", {"invocation_id": record.invocation_id}) == []


async def test_an_unfinished_invocation_stays_however_old(store: Store, clock: StillClock) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    store.traces.append(record.invocation_id, log("still here"))
    await left(store)
    clock.now = NOW + 400 * DAY
    assert await store.pruner.prune() == 0
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert len(found[1]) == 1


async def test_the_oldest_go_until_the_rest_is_small_enough(kind: str, tmp_path: Path) -> None:
    limit = 1 << 20
    store = await open_on(kind, tmp_path, retention=Retention(size_bytes=limit))
    await store.pruner.close()  # or it prunes in between
    records = fill(store, 1000, size=4096, events=2)
    await left(store)
    gone = await store.pruner.prune()
    kept = await left(store)
    used = await store._database.query("used_bytes", {})
    assert 0 < gone < 1000
    assert sorted(kept) == sorted(each.invocation_id for each in records[gone:])
    assert limit // 2 < used[0][0] <= limit
    await store.close()


async def test_a_limit_below_the_smallest_database_ends_with_an_empty_one(kind: str, tmp_path: Path) -> None:
    store = await open_on(kind, tmp_path, retention=Retention(size_bytes=1))
    await store.pruner.close()
    fill(store, 250)
    await left(store)
    assert await store.pruner.prune() == 250
    assert await left(store) == []
    await store.close()


async def test_tokens_and_the_mark_stay(store: Store, clock: StillClock) -> None:
    fill(store, 1)
    await left(store)
    mark = await store._database.query("drained", {})
    clock.now = NOW + 400 * DAY
    await store.pruner.prune()
    assert await store._database.query("drained", {}) == mark
