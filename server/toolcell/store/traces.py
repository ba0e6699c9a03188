"""Records of invocations and their events: `interface.Traces` over a spool and any database."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from toolcell.model.clock import Clock
from toolcell.model.errors import HandlerFault, NodeLost, OutcomeUnknown, PlatformFault, StoreFull
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.store.drain import Drain
from toolcell.store.interface import Database, EventFilter, Following, Statement, Subject, TraceFilter
from toolcell.store.rows import (
    ended_row,
    event_from,
    event_row,
    failure_json,
    invocation_from,
    invocation_row,
    started_row,
    storable,
    subject_from,
)
from toolcell.store.spool import Entry, Spool
from toolcell.store.stream import Stream

_CONDITIONS: Final = (
    ("tool", "tool = :tool"),
    ("caller", "caller = :caller"),
    ("state", "state = :state"),
    ("tool_call_id", "tool_call_id = :tool_call_id AND tool_call_id <> ''"),  # the index leaves "" out
    ("trace_id", "trace_id = :trace_id"),
    ("create_time_from", "create_time >= :create_time_from"),
)
"""What a filter's field means in SQL, when it is set."""

_LABEL: Final = (
    "JOIN label AS label{0} ON label{0}.invocation_id = invocation.invocation_id"
    " AND label{0}.key = :key{0} AND label{0}.value = :value{0}"
)


class TraceTable:
    """Writes through the spool, reads from the database; see `interface.Traces`."""

    def __init__(self, spool: Spool, drain: Drain, database: Database, stream: Stream, clock: Clock) -> None:
        self._spool, self._drain, self._database = spool, drain, database
        self._stream, self._clock = stream, clock
        self._running: dict[str, Subject] = {}
        self._dropped: Counter[str] = Counter()  # running call → how many of its events found no place

    def begin(self, record: Invocation, retry_safe: bool) -> None:  # noqa: FBT001 - the pipeline's own order
        """Remembers that a call starts. Raises StoreFull or StoreUnavailable."""
        if self._spool.is_full:
            raise _full(self._spool)
        row = invocation_row(record)
        row["retry_safe"], row["begin_time"] = int(retry_safe), self._clock.wall()
        sequence = self._spool.append("begin", row)
        subject = self._running[record.invocation_id] = subject_from(row)
        if record.state is State.RUNNING and self._stream.is_followed:
            self._stream.publish(sequence, subject, started_row(row))
        self._drain.want()

    def append(self, invocation_id: str, event: Event) -> None:
        """Remembers an event of a running call, or counts it when there is no place for it."""
        subject = self._running.get(invocation_id)
        if subject is None:
            return  # what was answered does not change
        try:
            if self._spool.is_full:
                raise _full(self._spool)
            self._write(subject, event)
        except PlatformFault:
            self._dropped[invocation_id] += 1
        self._drain.want()

    def end(self, record: Invocation) -> None:
        """Remembers the final record. Raises StoreFull or StoreUnavailable."""
        running = self._running.pop(record.invocation_id, None)
        dropped = self._dropped.pop(record.invocation_id, 0)
        row = invocation_row(record)
        try:
            if running and dropped:
                self._write(running, Event(self._clock.wall(), EventKind.TRUNCATED, {"dropped": dropped}))
            self._tell_end(self._spool.append("end", row), row)
        except PlatformFault:
            if running:
                row |= _unknown(record)
                self._tell_end(self._spool.hold("end", row), row)
            raise
        finally:
            self._drain.want()

    def follow(self, chosen: EventFilter, cursor: str, *, is_endless: bool) -> Following:
        """Takes a place in the stream of events. Raises CursorInvalid."""
        return self._stream.follow(chosen, cursor, is_endless=is_endless)

    def _write(self, subject: Subject, event: Event) -> None:
        row = event_row(subject.invocation_id, event)
        self._stream.publish(self._spool.append("event", row), subject, row)

    def _tell_end(self, sequence: int, row: Mapping[str, Any]) -> None:
        if self._stream.is_followed:
            is_failure = row["state"] == State.FAILED
            self._stream.publish(sequence, subject_from(row), ended_row(row), is_failure=is_failure)

    async def get(self, invocation_id: str) -> tuple[Invocation, list[tuple[int, Event]]] | None:
        """Returns a record and its events, or None."""
        await self._drain.flush()
        wanted = {"invocation_id": invocation_id}
        found = await self._database.query("get_invocation", wanted)
        if not found:
            return None
        events = await self._database.query("events", wanted)
        return invocation_from(found[0]), [event_from(row) for row in events]

    async def page(self, chosen: TraceFilter, before: str, limit: int) -> list[Invocation]:
        """Returns at most `limit` records older than `before`, newest first."""
        await self._drain.flush()
        parameters, parts = select(chosen, before)
        rows = await self._database.query("page_invocations", parameters | {"limit": limit}, parts)
        return [invocation_from(row) for row in rows]


def _full(spool: Spool) -> StoreFull:
    return StoreFull(
        f"{spool.waiting_bytes} bytes of records wait for the database. Free space on its disk, or check it.",
        retry_after=5.0,
    )


def _unknown(record: Invocation) -> dict[str, Any]:
    """What the record of a call says whose outcome could not be written before its answer."""
    failure = OutcomeUnknown(tool=record.tool).failure()
    return {"state": State.FAILED.value, "failure": failure_json(failure), "output_json": ""}


def select(chosen: TraceFilter, before: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the parameters of `page_invocations` and what fills its places."""
    fields = {name: getattr(chosen, name) for name, _ in _CONDITIONS}
    parameters = {name: value for name, value in fields.items() if value}
    conditions = [condition for name, condition in _CONDITIONS if name in parameters]
    cursor = "label0.invocation_id" if chosen.labels else "invocation.invocation_id"
    if before:
        parameters["before"] = before
        conditions.append(f"{cursor} < :before")
    joins = []
    for number, (key, value) in enumerate(chosen.labels.items()):
        joins.append(_LABEL.format(number))
        parameters |= {f"key{number}": key, f"value{number}": value}
    parts = {"joins": " ".join(joins), "conditions": " AND ".join(conditions) or "1 = 1", "cursor": cursor}
    return parameters, parts


_EVENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]]] = {
    "begin": lambda row: started_row(row) if row["state"] == State.RUNNING else None,
    "event": dict,
    "end": ended_row,
}
"""The event that each kind of the spool's rows is; a call that waits for its slot has not started."""


def plan(entries: Sequence[Entry]) -> list[Statement]:
    """Says which statements write some rows of the spool; a call that ended needs its last row only."""
    ends = [entry.row for entry in entries if entry.kind == "end"]
    ended = {row["invocation_id"] for row in ends}
    begins = [
        entry.row for entry in entries if entry.kind == "begin" and entry.row["invocation_id"] not in ended
    ]
    events = [
        row | {"sequence": entry.sequence} for entry in entries if (row := _EVENTS[entry.kind](entry.row))
    ]
    labels = [
        {"invocation_id": row["invocation_id"], "key": storable(key), "value": storable(value)}
        for row in (*begins, *ends)
        if row["labels"] != "{}"
        for key, value in json.loads(row["labels"]).items()
    ]
    written: dict[str, Sequence[Mapping[str, Any]]] = {
        "begin_invocation": begins,
        "end_invocation": ends,
        "add_event": events,
        "add_label": labels,
    }
    return [Statement(name, rows) for name, rows in written.items() if rows]


async def interrupt(database: Database, time: int, first: int) -> int:
    """Marks what an earlier process left unfinished as interrupted at `time` (microseconds).

    The `ended` events get the sequence numbers from `first` on, which are marked as given out. Returns how
    many there were.
    """
    unfinished = await database.query("unfinished_invocations", {})
    rows = []
    for invocation_id, tool, retry_safe, create_time in unfinished:
        fault: HandlerFault = NodeLost(tool=tool) if retry_safe else OutcomeUnknown(tool=tool)
        rows.append(
            {
                "invocation_id": invocation_id,
                "state": State.FAILED.value,
                "failure": failure_json(fault.failure()),
                "create_time": create_time,
                "end_time": max(
                    time, create_time
                ),  # a clock that was set back does not end a call before it came
                "interrupted": 1,
            }
        )
    events = [ended_row(row) | {"sequence": sequence} for sequence, row in enumerate(rows, first)]
    written = {"interrupt_invocation": rows, "add_event": events}
    mark = Statement("mark_drained", ({"sequence": first + len(rows) - 1},))
    await database.transaction([*(Statement(name, rows) for name, rows in written.items() if rows), mark])
    return len(rows)
