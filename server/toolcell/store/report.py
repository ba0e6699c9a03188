"""What can be told about a store without opening it for writing; light enough for the command line."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.store.home import DATABASE
from toolcell.store.interface import StoreUnusable

_FIXED: Final = (3, 51, 3)
"""The first SQLite in which two connections that write and checkpoint at once cannot corrupt the file."""


@dataclass(frozen=True, slots=True)
class Report:
    """A database's file: `size_bytes` with its log (0 = not made yet), `schema` its newest migration.

    `is_sqlite_fixed` tells whether other programs than the server may write to the file: SQLite before 3.51.3
    can corrupt it when two write and checkpoint at once.
    """

    path: Path
    size_bytes: int
    schema: str
    sqlite_version: str
    is_sqlite_fixed: bool


def report(directory: Path) -> Report:
    """Looks at the database of a state directory, also while a server runs. Raises StoreUnusable."""
    path = directory / DATABASE
    log = path.with_name(f"{path.name}-wal")
    try:
        size = sum(each.stat().st_size for each in (path, log) if each.exists())
        schema = _schema(path, has_log=log.exists()) if size else ""
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(
            f"The database cannot be read: {error}",
            where=str(path),
            remedy="Check who owns the file; if it is damaged, restore a backup or move it away.",
        ) from error
    return Report(path, size, schema, sqlite3.sqlite_version, sqlite3.sqlite_version_info >= _FIXED)


def _schema(path: Path, *, has_log: bool) -> str:
    # Without a log nobody has the file open; `immutable` keeps SQLite from leaving one behind.
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
    try:
        rows = connection.execute(
            "SELECT name FROM _sqlite_migrations WHERE migration_set = 'toolcell'"
        ).fetchall()
    finally:
        connection.close()
    return max((name for (name,) in rows), default="")
