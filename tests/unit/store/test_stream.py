"""Followers wait without cost, are woken together, and are told nothing that a crash could take back."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.store.samples import ended, invocation, log, open_on
from tests.conformance.store.streams import ALL, call, first, follow, take, told
from toolcell.model.errors import StoreFull
from toolcell.store.lifecycle import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_on("sqlite-file", tmp_path)
    yield opened
    await opened.close()


def keeps(store: Store) -> bool:
    return store.stream.ring.is_open


async def test_nothing_is_kept_while_nobody_follows(store: Store) -> None:
    call(store, "1")
    assert not keeps(store)
    following, other = follow(store), follow(store)
    call(store, "2")
    assert store.stream.ring.last == store.stream.spool.last
    following.close()
    assert keeps(store)
    other.close()
    assert not keeps(store)


async def test_one_that_goes_while_it_waits_leaves_nothing_behind(store: Store) -> None:
    following = follow(store)
    await first(following)
    waiting = asyncio.ensure_future(first(following))
    await asyncio.sleep(0)
    assert len(store.stream._waiting) == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not store.stream._waiting
    following.close()


async def test_those_who_wait_are_woken_together_and_get_what_came_meanwhile(store: Store) -> None:
    followings = [follow(store) for _ in range(10)]
    for following in followings:
        await first(following)
    waiting = [asyncio.ensure_future(first(following)) for following in followings]
    await asyncio.sleep(0)
    call(store, "1")
    call(store, "2")
    batches = await asyncio.gather(*waiting)
    assert all(told(batch.events) == ["STARTED", "1", "ENDED", "STARTED", "2", "ENDED"] for batch in batches)
    for following in followings:
        following.close()


async def test_what_no_file_could_take_is_told_once_the_database_has_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = follow(store)
    record = invocation()
    store.traces.begin(record, retry_safe=False)
    assert told(await take(following, 1)) == ["STARTED"]

    def refuse(line: bytes) -> None:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(store.stream.spool, "_write", refuse)
        with pytest.raises(StoreFull):
            store.traces.end(ended(record))
    call(store, "next")
    assert store.stream.spool.settled < store.stream.spool.last
    (end, *later) = await take(following, 4)
    assert store.stream.spool.drained_to >= end.sequence
    assert json.loads(end.body)["reason"] == "OUTCOME_UNKNOWN"
    assert told(later) == ["STARTED", "next", "ENDED"]
    assert store.stream.spool.settled == store.stream.spool.last
    following.close()


async def test_a_follower_hears_when_the_database_takes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = invocation()
    store.traces.begin(record, retry_safe=True)
    following = follow(store, ALL, "0")
    await first(following)

    async def refuse(*_: object, **__: object) -> None:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(store._database, "transaction", refuse)
        with pytest.raises(StoreFull):
            await first(following)
    store.traces.append(record.invocation_id, log("later"))
    assert told(await take(following, 2)) == ["STARTED", "later"]
    following.close()
