"""Makes data/customers.db from data/customers.csv; does nothing when the database is up to date."""

import csv
import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
SOURCE, TARGET = DATA / "customers.csv", DATA / "customers.db"

SCHEMA = """
CREATE TABLE customers (
    customer_id TEXT PRIMARY KEY COLLATE NOCASE,
    name TEXT NOT NULL,
    email TEXT NOT NULL COLLATE NOCASE,
    plan TEXT NOT NULL,
    lifetime_value_cents INTEGER NOT NULL,
    signup_time TEXT NOT NULL,
    country TEXT NOT NULL
) STRICT;
CREATE INDEX customers_email ON customers (email);
"""


def main() -> None:
    """Writes a draft and moves it into place, so that a reader never sees half a database."""
    stamp = int.from_bytes(hashlib.sha256(SCHEMA.encode() + SOURCE.read_bytes()).digest()[:4]) >> 1
    if TARGET.exists() and _stamp_of(TARGET) == stamp:
        return
    with SOURCE.open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    draft = TARGET.with_suffix(f".{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft)) as database:
        database.executescript(SCHEMA)
        names = ", ".join(f":{column}" for column in rows[0])
        database.executemany(f"INSERT INTO customers VALUES ({names})", rows)  # noqa: S608 # names of our own columns
        database.execute(f"PRAGMA user_version = {stamp}")
        database.commit()
    draft.replace(TARGET)


def _stamp_of(path: Path) -> int:
    """Reads the digest of the source a database was made from; 0 for a file that is no such database."""
    try:
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database:
            return int(database.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0


if __name__ == "__main__":
    main()
