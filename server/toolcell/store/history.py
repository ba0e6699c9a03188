"""Reads the stream of events back from the database, a page at a time."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from toolcell.store.happenings import EventFilter, Happening, Subject
from toolcell.store.interface import Database, Row

_WINDOW: Final = 4096
"""How many events one page looks at when its filter may match any invocation."""

_CONDITIONS: Final = (
    ("tool", "invocation.tool = :tool"),
    ("caller", "invocation.caller = :caller"),
    ("invocation_id", "invocation.invocation_id = :invocation_id"),
    ("trace_id", "invocation.trace_id = :trace_id"),
    ("tool_call_id", "invocation.tool_call_id = :tool_call_id AND invocation.tool_call_id <> ''"),
    ("job_id", "invocation.job_id = :job_id AND invocation.job_id <> ''"),
    ("only_failed", "event.kind = 'ended' AND invocation.state = 'FAILED'"),
)
"""What a filter's field means in SQL, when it is set; `EventFilter.takes` says the same."""

_LABEL: Final = (
    "EXISTS (SELECT 1 FROM label WHERE label.invocation_id = event.invocation_id"
    " AND label.key = :key{0} AND label.value = :value{0})"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Matching events up to the number `end`, and the highest number that retention has taken."""

    events: list[Happening]
    end: int
    pruned: int


class History:
    """Reads pages; one at a time, so that however many follow, other readers have their turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def pruned(self) -> int:
        """Returns the highest number that retention has taken; 0 for none."""
        return (await read_marks(self._database))["pruned"]

    async def read(self, chosen: EventFilter, after: int, until: int, limit: int) -> Page:
        """Returns at most `limit` matching events between two numbers; `until` must be in the database."""
        parameters, parts = select(chosen)
        bounds = {"after": after, "until": until, "limit": limit}
        async with self._turn:
            if not is_narrow(chosen):
                ((end,),) = await self._database.query(
                    "stream_window", {"after": after, "until": until, "rows": _WINDOW}
                )
                bounds["until"] = until = until if end is None else end
            rows = await self._database.query("stream_events", parameters | bounds, parts)
            # Read last: what retention took before the page was read is in it.
            pruned = await self.pruned()
        events = [_happening(row) for row in rows]
        return Page(events, events[-1].sequence if len(events) == limit else until, pruned)


async def read_marks(database: Database) -> dict[str, int]:
    """Returns what a database says about its stream, by name (see migrations/m0003)."""
    rows: list[tuple[str, int]] = [(name, value) for name, value in await database.query("stream_marks", {})]
    return dict(rows)


def is_narrow(chosen: EventFilter) -> bool:
    """Tells whether a filter names few invocations, which an index finds."""
    return bool(chosen.invocation_id or chosen.trace_id or chosen.tool_call_id or chosen.job_id)


def select(chosen: EventFilter) -> tuple[dict[str, Any], dict[str, str]]:
    """Says a filter in SQL: the parameters and the places of `stream_events`."""
    parameters = {name: value for name, _ in _CONDITIONS if (value := getattr(chosen, name))}
    conditions = [condition for name, condition in _CONDITIONS if name in parameters]
    for number, (key, value) in enumerate(chosen.labels.items()):
        conditions.append(_LABEL.format(number))
        parameters |= {f"key{number}": key, f"value{number}": value}
    parameters.pop("only_failed", None)
    tables = ("invocation", "event") if is_narrow(chosen) else ("event", "invocation")
    return parameters, {
        "tables": " CROSS JOIN ".join(tables),
        "conditions": " AND ".join(conditions) or "1 = 1",
    }


def _happening(row: Row) -> Happening:
    sequence, time, kind, body, is_failure = row[:5]
    identity: tuple[str, str, str, str, str, str] = row[5:11]
    subject = Subject(*identity, labels=json.loads(row[11]))
    return Happening(sequence, subject, time, kind, body, bool(is_failure))
