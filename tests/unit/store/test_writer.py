"""One thread writes for everybody, and everybody hears only after the commit."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from toolcell.model.errors import StoreUnavailable
from toolcell.store.writer import Writer


class Recorder:
    """A connection that remembers what it was asked and fails where it is told to."""

    def __init__(self) -> None:
        self.real = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.real.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}

    def execute(self, statement: str) -> object:
        self.asked.append(statement)
        if statement in self.failing:
            raise self.failing[statement]
        return self.real.execute(statement)

    def insert(self, number: int) -> Callable[[], Any]:
        return lambda: self.real.execute("INSERT INTO t VALUES (?) RETURNING n", (number,)).fetchall()

    def numbers(self) -> list[int]:
        return [number for (number,) in self.real.execute("SELECT n FROM t ORDER BY n")]


def refusal(error: Exception) -> Exception:
    return StoreUnavailable(str(error)) if isinstance(error, sqlite3.OperationalError) else error


@pytest.fixture
def connection() -> Recorder:
    return Recorder()


@pytest.fixture
async def writer(connection: Recorder) -> AsyncIterator[Writer]:
    made = Writer(connection, refusal)
    yield made
    await made.close()
    connection.real.close()


async def held(writer: Writer) -> threading.Event:
    """Keeps the writer busy until the event is set, so that what follows waits together."""
    started, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.call_soon_threadsafe(started.set)
        go.wait()

    writer.submit(wait)
    await started.wait()
    return go


async def test_an_operation_returns_what_it_returned(writer: Writer, connection: Recorder) -> None:
    assert await writer.submit(connection.insert(7)) == [(7,)]


async def test_what_waits_together_is_committed_together(writer: Writer, connection: Recorder) -> None:
    go = await held(writer)
    waiting = [writer.submit(connection.insert(number)) for number in range(50)]
    go.set()
    await asyncio.gather(*waiting)
    assert connection.asked.count("COMMIT") == 2
    assert connection.numbers() == list(range(50))


async def test_nobody_hears_before_the_commit(writer: Writer, connection: Recorder) -> None:
    heard: list[int] = []
    go = await held(writer)
    future = writer.submit(connection.insert(1))
    future.add_done_callback(lambda _: heard.append(connection.asked.count("COMMIT")))
    go.set()
    await future
    await asyncio.sleep(0)
    assert heard == [2]


async def test_a_bad_operation_does_not_fail_its_neighbours(writer: Writer, connection: Recorder) -> None:
    go = await held(writer)
    first, again, last = (writer.submit(connection.insert(number)) for number in (1, 1, 2))
    go.set()
    with pytest.raises(sqlite3.IntegrityError):
        await again
    assert await first == [(1,)]
    assert await last == [(2,)]
    assert connection.numbers() == [1, 2]


async def test_savepoints_are_set_only_when_something_is_wrong(writer: Writer, connection: Recorder) -> None:
    await writer.submit(connection.insert(1))
    assert "SAVEPOINT operation" not in connection.asked
    connection.failing["SAVEPOINT operation"] = sqlite3.OperationalError("disk I/O error")
    with pytest.raises(StoreUnavailable, match="disk I/O error"):
        await writer.submit(connection.insert(1))
    connection.failing.clear()
    await writer.submit(connection.insert(2))
    assert connection.numbers() == [1, 2]


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
async def test_a_batch_that_fails_happens_not_at_all_and_the_next_is_tried_anew(
    writer: Writer, connection: Recorder, statement: str
) -> None:
    connection.failing[statement] = sqlite3.OperationalError("disk I/O error")
    with pytest.raises(StoreUnavailable, match="disk I/O error"):
        await writer.submit(connection.insert(1))
    connection.failing.clear()
    await writer.submit(connection.insert(2))
    assert connection.numbers() == [2]


async def test_a_transaction_that_the_database_gave_up_fails_for_its_real_reason(
    writer: Writer, connection: Recorder
) -> None:
    def full() -> None:
        connection.real.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    go = await held(writer)
    neighbour, unlucky = writer.submit(connection.insert(1)), writer.submit(full)
    go.set()
    for future in (neighbour, unlucky):
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await future
    assert connection.numbers() == []


async def test_an_idle_operation_waits_until_nothing_else_does(writer: Writer, connection: Recorder) -> None:
    order: list[str] = []
    go = await held(writer)
    idle = writer.submit(lambda: order.append("idle"), idle=True)
    waiting = [writer.submit(lambda: order.append("wanted")) for _ in range(600)]  # more than one batch
    go.set()
    await asyncio.gather(idle, *waiting)
    assert order == ["wanted"] * 600 + ["idle"]


async def test_too_much_waiting_is_refused(writer: Writer) -> None:
    go = await held(writer)
    waiting = [writer.submit(lambda: None) for _ in range(4096)]
    with pytest.raises(StoreUnavailable, match="too much to write"):
        writer.submit(lambda: None)
    go.set()
    await asyncio.gather(*waiting)


async def test_a_caller_that_went_away_does_not_matter(writer: Writer, connection: Recorder) -> None:
    go = await held(writer)
    gone, stays = writer.submit(connection.insert(1)), writer.submit(connection.insert(2))
    gone.cancel()
    go.set()
    assert await stays == [(2,)]
    assert connection.numbers() == [1, 2]


async def test_closing_writes_what_waits_and_refuses_the_rest(connection: Recorder) -> None:
    writer = Writer(connection, refusal)
    go = await held(writer)
    waiting = [writer.submit(connection.insert(number)) for number in range(3)]
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="is closed"):
        writer.submit(connection.insert(9))
    go.set()
    await asyncio.gather(closing, *waiting)
    assert connection.numbers() == [0, 1, 2]
    connection.real.close()
