"""The primitives behave alike on every database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.store.samples import DATABASES, token
from toolcell.store.home import Home
from toolcell.store.interface import Database, Statement
from toolcell.store.rows import token_row


@pytest.fixture
async def database(kind: str, tmp_path: Path) -> AsyncIterator[Database]:
    home = Home(tmp_path / "state")
    opened = DATABASES[kind](home)
    await opened.open()
    yield opened
    await opened.close()
    home.release()


def mark(sequence: int) -> Statement:
    return Statement("mark_drained", ({"sequence": sequence},))


def tokens(*numbers: int) -> Statement:
    return Statement("add_token", [token_row(token(number)) for number in numbers])


async def ids(database: Database) -> list[str]:
    return [row[0] for row in await database.query("tokens", {})]


async def test_what_was_executed_is_read(database: Database) -> None:
    assert await database.query("drained", {}) == []
    await database.execute("mark_drained", {"sequence": 1 << 62})
    assert await database.query("drained", {}) == [(1 << 62,)]


async def test_bytes_and_text_come_back_as_they_were(database: Database) -> None:
    await database.execute("add_token", token_row(token(digest=bytes(range(32)), note="ü\0☃")))
    ((_, _, digest, _, note, *_),) = await database.query("tokens", {})
    assert (bytes(digest), note) == (bytes(range(32)), "ü\0☃")


async def test_a_transaction_returns_what_each_statement_gave(database: Database) -> None:
    await database.transaction([tokens(1, 2)])
    bounds = {"before": 0, "events": 1, "invocations": 1}
    assert await database.transaction([mark(1), Statement("prune_events", (bounds,)), tokens(3, 4)]) == [
        [],
        [],
        [],
    ]


async def test_a_statement_is_run_for_each_of_its_rows(database: Database) -> None:
    await database.transaction([tokens(1, 2, 3)])
    assert sorted(await ids(database)) == ["tok_1", "tok_2", "tok_3"]


@pytest.mark.parametrize("idle", [False, True])
async def test_a_transaction_happens_wholly_or_not_at_all(database: Database, idle: bool) -> None:
    with pytest.raises(Exception, match="UNIQUE"):
        await database.transaction([mark(1), tokens(1, 2), tokens(2)], idle=idle)
    assert await database.query("drained", {}) == []
    assert await ids(database) == []
    await database.transaction([tokens(2)], idle=idle)
    assert await ids(database) == ["tok_2"]


async def test_a_bad_transaction_does_not_fail_those_beside_it(database: Database) -> None:
    results = await asyncio.gather(
        *(database.transaction([tokens(number)]) for number in (1, 2, 2, 3)), return_exceptions=True
    )
    assert [isinstance(result, Exception) for result in results] == [False, False, True, False]
    assert sorted(await ids(database)) == ["tok_1", "tok_2", "tok_3"]


async def test_a_value_is_never_read_as_sql(database: Database) -> None:
    await database.execute("add_token", token_row(token(note="'); DROP TABLE token; --", caller=":note")))
    ((_, caller, _, _, note, *_),) = await database.query("tokens", {})
    assert (caller, note) == (":note", "'); DROP TABLE token; --")


async def test_reclaiming_where_nothing_was_freed_ends(database: Database) -> None:
    await database.reclaim()


async def test_closing_finishes_what_was_asked_before(kind: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "other")
    database = DATABASES[kind](home)
    await database.open()
    waiting = [asyncio.ensure_future(database.execute("mark_drained", {"sequence": n})) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*waiting) == [[]] * 20
    home.release()
