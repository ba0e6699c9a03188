"""Copies and examines a database that a server may have open, without ever writing to it."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.store.home import DATABASE
from toolcell.store.interface import StoreUnusable
from toolcell.store.report import Report, report

Progress = Callable[[float], None]

_PAGES_A_STEP: Final = 1024
_MOST_COMPLAINTS: Final = 20
_READ_ONLY: Final = (
    "query_only = 1",
    "wal_autocheckpoint = 0",  # two that checkpoint can corrupt the file before SQLite 3.51.3
    "busy_timeout = 5000",
)
_PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class Examination:
    """What a check found: `complaints` is empty for a database that is whole; sizes are in bytes.

    `free_bytes` are pages inside the file that hold nothing; `spool_bytes` wait to be written into it.
    """

    report: Report
    free_bytes: int
    spool_bytes: int
    complaints: tuple[str, ...]


def copy(directory: Path, target: Path, progress: Progress) -> int:
    """Writes the database of a state directory, as it is at this moment, to a new file; returns its bytes.

    `progress` gets the fraction done. The copy is one file that only its owner may read, it is synced and
    examined; a server goes on writing meanwhile. Raises StoreUnusable, and FileExistsError for a target that
    is there.
    """
    if os.path.lexists(target):
        raise FileExistsError(target)
    part = target.with_name(target.name + _PART)
    with _reading(directory) as source:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            is_taken = isinstance(error, FileExistsError)
            raise StoreUnusable(
                f"The backup cannot be written: {error.strerror}",
                where=str(part),
                remedy="Remove that file if no other backup is running."
                if is_taken
                else "Name another file.",
            ) from error
        try:
            _fill(source, part, progress)
            os.link(part, target)  # unlike a rename, never over a file that came meanwhile
        finally:
            part.unlink()
    _sync(target)
    return target.stat().st_size


def examine(directory: Path, *, is_thorough: bool = False) -> Examination:
    """Reads the whole database of a state directory and says what is wrong with it.

    `is_thorough` compares every index with its table too. Raises StoreUnusable when there is no database or
    it cannot be read at all.
    """
    found = report(directory)
    with _reading(directory) as connection:
        complaints = _complaints(connection, is_thorough=is_thorough)
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    spool = sum(path.stat().st_size for path in directory.glob("spool-*"))
    return Examination(found, free * page, spool, complaints)


@contextlib.contextmanager
def _reading(directory: Path) -> Iterator[sqlite3.Connection]:
    """Opens the database for reading, at one moment: what is committed later is not seen."""
    path = directory / DATABASE
    if not path.exists() or not path.stat().st_size:
        raise StoreUnusable(
            "There is no database", where=str(path), remedy="Name the state directory of a server: --state."
        )
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            for pragma in _READ_ONLY:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # begins the snapshot
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, FileExistsError):
            raise
        raise StoreUnusable(
            f"The database cannot be read or copied: {error}",
            where=str(path),
            remedy="Check who owns it and whether its disk has room; if it is damaged, restore a backup.",
        ) from error


def _fill(source: sqlite3.Connection, part: Path, progress: Progress) -> None:
    target = sqlite3.connect(part, isolation_level=None)
    try:
        source.backup(
            target, pages=_PAGES_A_STEP, progress=lambda _, left, total: progress(1 - left / max(total, 1))
        )
        target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        if complaints := _complaints(target, is_thorough=False):
            raise sqlite3.DatabaseError(f"it is damaged: {complaints[0]}")
    finally:
        target.close()
    _sync(part)


def _complaints(connection: sqlite3.Connection, *, is_thorough: bool) -> tuple[str, ...]:
    pragma = "integrity_check" if is_thorough else "quick_check"
    said = [row[0] for row in connection.execute(f"PRAGMA {pragma}({_MOST_COMPLAINTS})")]
    return () if said == ["ok"] else tuple(line for text in said for line in text.splitlines())


def _sync(path: Path) -> None:
    for each in (path, path.absolute().parent):
        descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
