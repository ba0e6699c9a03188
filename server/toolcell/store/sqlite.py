"""SQLite behind the `Database` protocol: one thread writes, others read snapshots."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import sqlite_utils

from toolcell.model.clock import Clock
from toolcell.model.errors import StoreFull, StoreUnavailable
from toolcell.store.home import Home
from toolcell.store.interface import Parameters, Retention, Row, Statement, StoreUnusable
from toolcell.store.lifecycle import Store, start
from toolcell.store.migrations import MIGRATIONS, NAMES
from toolcell.store.queries import STATEMENTS
from toolcell.store.writer import Writer

MEMORY: Final = ":memory:"

_WRITER_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
    "busy_timeout = 5000",
    "temp_store = MEMORY",
    "foreign_keys = ON",
)
_READER_PRAGMAS: Final = (
    "query_only = 1",
    "wal_autocheckpoint = 0",  # two that checkpoint can corrupt the file before SQLite 3.51.3
    "busy_timeout = 5000",
    "temp_store = MEMORY",
)
_READERS: Final = 2
_VACUUM: Final = "PRAGMA incremental_vacuum(256)"
_REFUSED: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


async def open_store(directory: Path, *, clock: Clock, retention: Retention) -> Store:
    """Opens the store in a state directory, which is made when it is missing, and takes its lock.

    What a server that died left behind is taken in: its rows are kept, its unfinished calls marked as
    interrupted. Raises StoreUnusable when another server holds the directory, or the file is damaged or made
    by a newer Toolcell.
    """
    home = Home(directory)
    database = SqliteDatabase(home.database, is_suspect=home.was_unclean)
    return await start(home, database, clock=clock, retention=retention)


class SqliteDatabase:
    """A database file, or one in memory (`MEMORY`); see `interface.Database`."""

    def __init__(self, path: Path | str, *, is_suspect: bool = False) -> None:
        """`is_suspect` has the file checked when it is opened."""
        self._path = str(path)
        self._is_suspect = is_suspect
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._readers: ThreadPoolExecutor | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Connects and brings the schema up to date. Raises StoreUnusable."""
        self._connection = await asyncio.to_thread(self._prepare)
        self._writer = Writer(self._connection, _refusal)
        if self._path != MEMORY:
            self._readers = ThreadPoolExecutor(_READERS, "toolcell-store-reader", self._connect_reader)

    async def close(self) -> None:
        """Finishes what was asked before; the writer goes last, so that it checkpoints."""
        self._is_closed = True
        if self._readers is not None:
            await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reading:
            connection.close()
        await self._writer.close()
        await asyncio.to_thread(self._connection.close)

    async def execute(self, name: str, parameters: Parameters) -> list[Row]:
        """Runs one statement, durably."""
        (rows,) = await self.transaction([Statement(name, (parameters,))])
        return rows

    async def query(
        self, name: str, parameters: Parameters, parts: Mapping[str, str] | None = None
    ) -> list[Row]:
        """Reads a snapshot in a thread of its own."""
        statement = STATEMENTS[name].format(**parts) if parts else STATEMENTS[name]
        if self._readers is None:  # a database in memory has one connection
            rows: list[Row] = await self._writer.submit(
                lambda: _fetch(self._connection, statement, parameters)
            )
            return rows
        if self._is_closed:
            raise StoreUnavailable("The database is closed. Try again in a moment.", retry_after=1.0)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, statement, parameters)

    async def transaction(self, statements: Sequence[Statement], *, idle: bool = False) -> list[list[Row]]:
        """Runs the statements wholly or not at all, durably."""

        def run() -> list[list[Row]]:
            return [_run(self._connection, statement) for statement in statements]

        done: list[list[Row]] = await self._writer.submit(
            (lambda: self._alone(run)) if idle else run, idle=idle
        )
        return done

    async def reclaim(self) -> None:
        """Gives freed pages back to the file system, a megabyte at a time."""
        while await self._writer.submit(self._vacuum, idle=True):
            pass

    def _prepare(self) -> sqlite3.Connection:
        connection = _connect(self._path)
        try:
            if not connection.execute("PRAGMA page_count").fetchone()[0]:  # later it would change nothing
                _apply(connection, ("auto_vacuum = INCREMENTAL",))
            _apply(connection, _WRITER_PRAGMAS)
            self._check(connection)
            _migrate(connection, self._path)
        except sqlite3.Error as error:
            connection.close()
            raise StoreUnusable(
                f"The database cannot be opened: {error}",
                where=self._path,
                remedy="Check its disk; if it is damaged, restore a backup or move it away to start anew.",
            ) from error
        except StoreUnusable:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal" and self._path != MEMORY:
            raise StoreUnusable(
                f"The database cannot keep a write-ahead log (its journal mode is {mode})",
                where=self._path,
                remedy="Put the state directory on a local disk.",
            )
        if self._is_suspect and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise StoreUnusable(
                f"The database is damaged: {found}",
                where=self._path,
                remedy="Restore a backup, or move it away to start anew.",
            )

    def _connect_reader(self) -> None:
        connection = _connect(self._path)
        _apply(connection, _READER_PRAGMAS)
        self._local.connection = connection
        self._reading.append(connection)

    def _read(self, statement: str, parameters: Parameters) -> list[Row]:
        try:
            return _fetch(self._local.connection, statement, parameters)
        except sqlite3.Error as error:
            raise _refusal(error) from error

    def _alone(self, run: Callable[[], list[list[Row]]]) -> list[list[Row]]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            done = run()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return done

    def _vacuum(self) -> bool:
        """Frees some pages and tells whether there are more; with `execute` it would free a single one."""
        self._connection.executescript(_VACUUM)
        (left,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return bool(left)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)


def _apply(connection: sqlite3.Connection, pragmas: Sequence[str]) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    database = sqlite_utils.Database(connection, recursive_triggers=False)
    applied = [migration.name for migration in MIGRATIONS.applied(database)]
    newer = sorted(set(applied) - set(NAMES))
    if newer:
        raise StoreUnusable(
            f"The database was made by a newer Toolcell (it has {', '.join(newer)})",
            where=path,
            remedy="Start that version, or restore a backup from before the upgrade.",
        )
    if not applied and database.table_names():
        raise StoreUnusable(
            "The database is not Toolcell's", where=path, remedy="Move it away, or choose another directory."
        )
    MIGRATIONS.apply(database)


def _fetch(connection: sqlite3.Connection, text: str, parameters: Parameters) -> list[Row]:
    return connection.execute(text, parameters).fetchall()


def _run(connection: sqlite3.Connection, statement: Statement) -> list[Row]:
    text = STATEMENTS[statement.name]
    if len(statement.rows) == 1:
        return _fetch(connection, text, statement.rows[0])
    connection.executemany(text, statement.rows)
    return []


def _refusal(error: Exception) -> Exception:
    """Says what callers hear; an error that is about a row itself stays what it is."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, _REFUSED):
        return error
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return StoreFull("The database cannot grow: its disk is full. Free space there.", retry_after=5.0)
    return StoreUnavailable(f"The database cannot be used: {error}. Check its disk.", retry_after=5.0)
