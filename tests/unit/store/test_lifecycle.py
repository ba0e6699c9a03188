"""What a server that died left behind is taken in, in the right order."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.store.samples import NOW, StillClock, ended, invocation, log, open_on
from toolcell.model.errors import Executed, Reason, StoreFull
from toolcell.model.span import Invocation, State
from toolcell.store.home import Home
from toolcell.store.interface import Retention, StoreUnusable
from toolcell.store.lifecycle import Store, start
from toolcell.store.sqlite import SqliteDatabase

Change = Callable[[Path], None]


async def left_by_the_dead(directory: Path, write: Callable[[Store], None], *, drained: bool = False) -> Path:
    """Returns a copy of a state directory as it was at the moment a server died."""
    store = await open_on("sqlite-file", directory / "alive", clock=StillClock())
    await store.pruner.close()
    write(store)
    if drained:
        await store.traces.get("")
    copy = directory / "dead"
    shutil.copytree(directory / "alive", copy)
    await store.close()
    return copy


async def reopened(directory: Path) -> Store:
    return await open_on("sqlite-file", directory, clock=StillClock(NOW + 60_000_000))


@pytest.mark.parametrize("drained", [False, True])
@pytest.mark.parametrize(
    ("safe", "reason", "advice"),
    [(True, Reason.NODE_LOST, "Calling it again is safe."), (False, Reason.OUTCOME_UNKNOWN, "Verify first")],
)
async def test_an_unfinished_call_is_marked_as_its_tool_allows(
    tmp_path: Path, safe: bool, reason: Reason, advice: str, drained: bool
) -> None:
    record = invocation()

    def write(store: Store) -> None:
        store.traces.begin(record, retry_safe=safe)
        store.traces.append(record.invocation_id, log("so far"))

    dead = await left_by_the_dead(tmp_path, write, drained=drained)
    store = await reopened(dead)
    assert store.interrupted == 1
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    kept, events = found
    assert (kept.state, kept.interrupted, kept.end_time) == (State.FAILED, True, NOW + 60_000_000)
    assert kept.failure is not None
    assert (kept.failure.reason, kept.failure.executed) == (reason, Executed.MAYBE)
    assert advice in kept.failure.message
    assert [event for _, event in events] == [log("so far")]
    await store.close()


async def test_a_call_that_waited_is_marked_too_and_may_be_repeated(tmp_path: Path) -> None:
    record = invocation(state=State.PENDING, start_time=0)
    dead = await left_by_the_dead(tmp_path, lambda store: store.traces.begin(record, retry_safe=False))
    store = await reopened(dead)
    assert store.interrupted == 1
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert found[0].failure is not None
    assert found[0].failure.reason is Reason.NODE_LOST  # it had no slot yet, so its handler never ran
    await store.close()


async def test_a_clock_that_was_set_back_does_not_end_a_call_before_it_came(tmp_path: Path) -> None:
    record = invocation(create_time=NOW + 90_000_000)
    dead = await left_by_the_dead(tmp_path, lambda store: store.traces.begin(record, retry_safe=True))
    store = await reopened(dead)
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    assert found[0].end_time == NOW + 90_000_000
    await store.close()


@pytest.mark.parametrize("drained", [False, True])
async def test_a_call_that_ended_is_there_as_it_ended(tmp_path: Path, drained: bool) -> None:
    record = invocation()

    def write(store: Store) -> None:
        store.traces.begin(record, retry_safe=False)
        store.traces.end(ended(record))

    store = await reopened(await left_by_the_dead(tmp_path, write, drained=drained))
    assert store.interrupted == 0
    assert await store.traces.get(record.invocation_id) == (record, [])
    await store.close()


async def test_an_end_is_joined_to_a_beginning_that_was_drained_before(tmp_path: Path) -> None:
    record = invocation()
    alive = await open_on("sqlite-file", tmp_path / "alive")
    alive.traces.begin(record, retry_safe=True)
    await alive.traces.get(record.invocation_id)
    alive.traces.end(ended(record))
    shutil.copytree(tmp_path / "alive", tmp_path / "dead")
    await alive.close()
    store = await reopened(tmp_path / "dead")
    assert await store.traces.get(record.invocation_id) == (record, [])
    await store.close()


async def last_number(store: Store) -> int:
    """Writes an event and returns its sequence number, as a reader sees it."""
    record: Invocation = invocation()
    store.traces.begin(record, retry_safe=True)
    store.traces.append(record.invocation_id, log("x"))
    store.traces.end(ended(record))
    found = await store.traces.get(record.invocation_id)
    assert found is not None
    return found[1][-1][0]


def keep(_: Path) -> None:
    """Changes nothing: the process died, the machine lives."""


def lose_spool(directory: Path) -> None:
    """Takes away what was not fsynced: the machine lost its power."""
    for path in directory.glob("spool-*"):
        path.unlink()


@pytest.mark.parametrize("change", [keep, lose_spool])
async def test_no_number_is_given_twice_however_often_the_server_dies(tmp_path: Path, change: Change) -> None:
    numbers = []
    directory = tmp_path / "0"
    for death in range(1, 4):
        store = await reopened(directory)
        numbers.append(await last_number(store))
        for _ in range(5):  # seen by nobody but those who follow the trace live
            record = invocation()
            store.traces.begin(record, retry_safe=True)
            numbers.append(store._spool.last)
        directory = tmp_path / str(death)
        shutil.copytree(tmp_path / str(death - 1), directory)
        change(directory)
        await store.close()
    store = await reopened(directory)
    numbers.append(await last_number(store))
    await store.close()
    assert numbers == sorted(set(numbers))


async def test_numbers_go_on_without_a_gap_after_a_clean_stop(tmp_path: Path) -> None:
    store = await reopened(tmp_path)
    before = await last_number(store)
    await store.close()
    store = await reopened(tmp_path)
    assert await last_number(store) == before + 3  # its end, then the next call's beginning
    await store.close()


async def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    first, torn = ended(invocation()), ended(invocation())

    def write(store: Store) -> None:
        store.traces.end(first)
        store.traces.end(torn)

    dead = await left_by_the_dead(tmp_path, write)
    cut_last_line(dead)
    store = await reopened(dead)
    assert await store.traces.get(first.invocation_id) == (first, [])
    assert await store.traces.get(torn.invocation_id) is None
    await store.close()


def cut_last_line(directory: Path) -> None:
    (path,) = directory.glob("spool-*")
    path.write_bytes(path.read_bytes()[:-10])


async def test_what_cannot_be_taken_in_stays_for_the_next_start(tmp_path: Path) -> None:
    record = ended(invocation())
    dead = await left_by_the_dead(tmp_path, lambda store: store.traces.end(record))
    home = Home(dead)
    database = SqliteDatabase(home.database)

    async def refuse(*_: object, **__: object) -> list[list[object]]:
        raise StoreFull("The disk is full.")

    database.transaction = refuse  # type: ignore[assignment]
    with pytest.raises(StoreUnusable, match=r"cannot be taken in: The disk is full.*nothing is lost"):
        await start(home, database, clock=StillClock(), retention=Retention())
    store = await reopened(dead)
    assert await store.traces.get(record.invocation_id) == (record, [])
    await store.close()
