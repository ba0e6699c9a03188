"""What the store's tests are made of: every database, a clock that stands still, and records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from toolcell.model.caller import Grants, Token
from toolcell.model.ids import new_id, new_span_id, new_trace_id
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.store.home import Home
from toolcell.store.interface import Database, Retention
from toolcell.store.lifecycle import Store, start
from toolcell.store.sqlite import MEMORY, SqliteDatabase

DATABASES: Final[dict[str, Callable[[Home], Database]]] = {
    "sqlite-file": lambda home: SqliteDatabase(home.database, is_suspect=home.was_unclean),
    "sqlite-memory": lambda _: SqliteDatabase(MEMORY),
}
"""A line a database; the suite runs on each."""

NOW: Final = 1_800_000_000_000_000
DAY: Final = 24 * 3600 * 1_000_000


class StillClock:
    """A clock that moves when it is told to."""

    def __init__(self, wall: int = NOW) -> None:
        self.now = wall

    def wall(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1_000_000


async def open_on(
    kind: str,
    directory: Path,
    *,
    clock: StillClock | None = None,
    retention: Retention | None = None,
    **more: int,
) -> Store:
    """Opens a store on one of the databases."""
    home = Home(directory)
    return await start(
        home, DATABASES[kind](home), clock=clock or StillClock(), retention=retention or Retention(), **more
    )


def invocation(**more: Any) -> Invocation:
    """Makes the record of a call that starts now."""
    given: dict[str, Any] = {
        "invocation_id": new_id("inv"),
        "trace_id": new_trace_id(),
        "span_id": new_span_id(),
        "tool": "search_customer",
        "revision": "r1",
        "caller": "ada",
        "token_id": "tok_1",
        "create_time": NOW,
        "start_time": NOW,
        "input_json": '{"query":"ada@example.com"}',
        "isolation_level": 2,
    }
    return Invocation(**given | more)


def ended(record: Invocation, **more: Any) -> Invocation:
    """Ends a record well, or as told."""
    given: dict[str, Any] = {"state": State.SUCCEEDED, "end_time": NOW + 5, "output_json": '{"found":1}'}
    for name, value in (given | more).items():
        setattr(record, name, value)
    return record


def log(text: str) -> Event:
    """Makes an event."""
    return Event(NOW + 1, EventKind.LOG, {"level": "info", "message": text, "fields": {}})


def token(number: int = 1, **more: Any) -> Token:
    """Makes a token; those with a higher number are newer."""
    given: dict[str, Any] = {
        "token_id": f"tok_{number}",
        "caller": "ada",
        "digest": number.to_bytes(32),
        "grants": Grants(frozenset({"invoke", "traces"}), ("search_*",)),
        "note": "laptop",
        "create_time": NOW + number,
    }
    return Token(**given | more)
