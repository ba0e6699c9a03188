"""How the database file is opened, what is refused, and what keeps it small."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.samples import DAY, NOW, StillClock, ended, invocation, open_on, token
from toolcell.model.errors import StoreFull, StoreUnavailable
from toolcell.store.interface import Retention, StoreUnusable
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import SqliteDatabase, open_store


async def opened(directory: Path, **retention: float) -> Store:
    return await open_store(directory, clock=StillClock(), retention=Retention(**retention))  # type: ignore[arg-type]


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


def pragmas(connection: sqlite3.Connection, *names: str) -> list[object]:
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


async def test_the_writer_keeps_what_it_acknowledges(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    connection = store._database._connection  # type: ignore[attr-defined]
    names = ("journal_mode", "synchronous", "wal_autocheckpoint", "journal_size_limit", "busy_timeout")
    assert pragmas(connection, *names) == ["wal", 2, 4000, 64 << 20, 5000]
    assert pragmas(connection, "temp_store", "foreign_keys", "auto_vacuum", "mmap_size") == [2, 1, 2, 0]
    await store.close()


async def test_readers_can_neither_write_nor_checkpoint(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.tokens.load()
    (connection, *_) = store._database._reading  # type: ignore[attr-defined]
    assert pragmas(connection, "query_only", "wal_autocheckpoint", "busy_timeout", "temp_store") == [
        1,
        0,
        5000,
        2,
    ]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM token")
    await store.close()


async def test_a_closed_store_leaves_one_database_file(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.tokens.add(token())
    store.traces.end(ended(invocation()))
    await store.close()
    assert sorted(modes(tmp_path)) == [".gitignore", "lock", "toolcell.db"]
    assert (tmp_path / "lock").read_bytes() == b""


async def test_what_was_kept_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    record = ended(invocation())
    store = await opened(tmp_path)
    await store.tokens.add(token())
    store.traces.end(record)
    await store.close()
    store = await opened(tmp_path)
    assert await store.tokens.load() == [token()]
    assert await store.traces.get(record.invocation_id) == (record, [])
    assert store.interrupted == 0
    await store.close()


async def test_every_file_is_private(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.tokens.add(token())
    found = modes(tmp_path)
    assert len(found) == 6
    assert set(found.values()) == {0o600}
    await store.close()


async def test_a_second_store_on_the_directory_is_refused_and_the_first_lives_on(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    with pytest.raises(StoreUnusable, match="in use by process"):
        await opened(tmp_path)
    await store.tokens.add(token())
    await store.close()


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────


async def made(directory: Path) -> Path:
    """Makes a store with something in it and closes it."""
    store = await opened(directory)
    for number in range(200):
        await store.tokens.add(token(number, note="x" * 500))
    await store.close()
    return directory / "toolcell.db"


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = await made(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('toolcell', 'm9999', '')"
        )
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=r"newer Toolcell \(it has m9999\).*Start that"):
        await opened(tmp_path)
    assert path.read_bytes() == before
    with pytest.raises(StoreUnusable, match="newer Toolcell"):  # and the lock was given back
        await opened(tmp_path)


async def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "toolcell.db")
    connection.execute("CREATE TABLE customer (id)")
    connection.close()
    with pytest.raises(StoreUnusable, match="is not Toolcell's"):
        await opened(tmp_path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toolcell.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnusable, match="cannot be opened: file is not a database"):
        await opened(tmp_path)


async def test_a_damaged_database_is_found_after_an_unclean_stop(tmp_path: Path) -> None:
    path = await made(tmp_path)
    data = bytearray(path.read_bytes())
    for page in range(50, len(data) // 4096 - 2):  # behind the schema
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    (tmp_path / "lock").write_text("12345\n")
    with pytest.raises(StoreUnusable, match=r"damaged.*Restore a backup"):
        await opened(tmp_path)
    assert (tmp_path / "lock").read_bytes() != b""  # so the next start looks again


async def test_a_schema_that_is_migrated_twice_stays_as_it_is(tmp_path: Path) -> None:
    path = await made(tmp_path)
    connection = sqlite3.connect(path)
    before = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    await (await opened(tmp_path)).close()
    assert connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == before
    connection.close()


# ── trouble while it runs ───────────────────────────────────────────────────────────────────────────────────


async def test_a_full_database_is_a_refusal_and_recovers(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.open()
    (pages,) = database._connection.execute("PRAGMA page_count").fetchone()
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    row = {"token_id": "t", "caller": "c", "digest": b"d", "grants": "", "create_time": 0}
    large = row | {"note": "x" * 100_000, "expire_time": 0, "revoke_time": 0}
    with pytest.raises(StoreFull, match="its disk is full"):
        await database.execute("add_token", large)
    database._connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    await database.execute("add_token", large)
    assert len(await database.query("tokens", {})) == 1
    await database.close()


async def test_a_database_that_somebody_else_locks_is_a_refusal_and_recovers(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.open()
    database._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="cannot be used: database is locked"):
        await database.execute("mark_drained", {"sequence": 1})
    assert await database.query("drained", {}) == []
    other.execute("ROLLBACK")
    other.close()
    await database.execute("mark_drained", {"sequence": 2})
    await database.close()


async def test_pruning_gives_space_back_to_the_disk(tmp_path: Path) -> None:
    clock = StillClock()
    store = await open_on("sqlite-file", tmp_path, clock=clock)
    await store.pruner.close()
    for _ in range(500):
        store.traces.end(ended(invocation(input_json="x" * 20_000)))
    await store.traces.get("")
    clock.now = NOW + 8 * DAY
    assert await store.pruner.prune() == 500
    assert pragmas(store._database._connection, "freelist_count") == [0]  # type: ignore[attr-defined]
    await store.close()
    assert (tmp_path / "toolcell.db").stat().st_size < 1 << 20


async def test_a_store_is_pruned_when_it_is_opened(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    record = ended(invocation())
    store.traces.end(record)
    await store.close()
    store = await open_on("sqlite-file", tmp_path, clock=StillClock(NOW + 8 * DAY))
    pruner: Any = store.pruner
    own, pruned = pruner.prune, asyncio.Event()

    async def prune_and_tell() -> None:
        await own()
        pruned.set()

    pruner.prune = prune_and_tell  # its task has not run yet
    await pruned.wait()
    assert await store.traces.get(record.invocation_id) is None
    await store.close()


@pytest.mark.parametrize("module", ["interface", "home", "report", "spool", "lifecycle"])
def test_only_what_opens_a_database_pays_for_importing_it(module: str) -> None:
    program = f"import sys, toolcell.store.{module}; sys.exit('sqlite_utils' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
