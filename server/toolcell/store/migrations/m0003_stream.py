"""What the stream of events needs: which store a cursor belongs to, and what retention has taken."""

import secrets
from typing import Final

from sqlite_utils import Database

_STORE_BITS: Final = 40


def apply(database: Database) -> None:
    """Creates the marks: `store` is this database's random name, `pruned` the highest number that is gone."""
    database.execute("CREATE TABLE stream_mark (name TEXT PRIMARY KEY, value BIGINT NOT NULL)")
    database.execute(
        "INSERT INTO stream_mark (name, value) VALUES ('store', ?), ('pruned', 0)",
        [secrets.randbits(_STORE_BITS)],
    )
