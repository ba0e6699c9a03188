"""Records of invocations and their events: `interface.Traces` over a spool and any database."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolcell.model.clock import Clock
from toolcell.model.errors import Executed, NodeLost, OutcomeUnknown, PlatformFault, StoreFull
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.store.drain import Drain
from toolcell.store.happenings import EventFilter, Following, Subject
from toolcell.store.interface import Database, Statement, TraceFilter
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
from toolcell.store.selection import Selection
from toolcell.store.spool import Entry, Spool
from toolcell.store.stream import Stream

SELECTION: Final = Selection(
    table="invocation",
    key="invocation_id",
    labels="label",
    conditions=(
        ("tool", "tool = :tool"),
        ("caller", "caller = :caller"),
        ("state", "state = :state"),
        ("tool_call_id", "tool_call_id = :tool_call_id AND tool_call_id <> ''"),  # the index leaves "" out
        ("trace_id", "trace_id = :trace_id"),
        ("create_time_from", "create_time >= :create_time_from"),
        ("job_id", "job_id = :job_id AND job_id <> ''"),  # as tool_call_id
    ),
)


@dataclass(slots=True)
class _Running:
    """What is remembered of a call from its beginning to its end; `dropped` events found no place."""

    subject: Subject
    input_json: str
    retry_safe: bool
    dropped: int = 0


class TraceTable:
    """Writes through the spool, reads from the database; see `interface.Traces`."""

    def __init__(self, spool: Spool, drain: Drain, database: Database, stream: Stream, clock: Clock) -> None:
        self._spool, self._drain, self._database = spool, drain, database
        self._stream, self._clock = stream, clock
        self._running: dict[str, _Running] = {}

    def begin(self, record: Invocation, retry_safe: bool) -> None:  # noqa: FBT001 - the pipeline's own order
        """Remembers that a call starts. Raises StoreFull or StoreUnavailable."""
        if self._spool.is_full:
            raise _full(self._spool)
        row = invocation_row(record)
        row["retry_safe"], row["begin_time"] = int(retry_safe), self._clock.wall()
        sequence = self._spool.append("begin", row)
        subject = subject_from(row)
        self._running[record.invocation_id] = _Running(subject, record.input_json, retry_safe)
        if record.state is State.RUNNING and self._stream.is_followed:
            self._stream.publish(sequence, subject, started_row(row))
        self._drain.want()

    def append(self, invocation_id: str, event: Event) -> None:
        """Remembers an event of a running call, or counts it when there is no place for it."""
        running = self._running.get(invocation_id)
        if running is None:
            return  # what was answered does not change
        try:
            if self._spool.is_full:
                raise _full(self._spool)
            self._write(running.subject, event)
        except PlatformFault:
            running.dropped += 1
        self._drain.want()

    def end(self, record: Invocation) -> None:
        """Remembers the final record. Raises StoreFull or StoreUnavailable."""
        running = self._running.pop(record.invocation_id, None)
        row = invocation_row(record)
        if running and running.input_json is record.input_json:
            del row["input_json"]  # it may be large, and was written when the call began
        try:
            if running and running.dropped:
                lost = Event(self._clock.wall(), EventKind.TRUNCATED, {"dropped": running.dropped})
                self._write(running.subject, lost)
            self._tell_end(self._spool.append("end", row), row)
        except PlatformFault:
            if running:
                row |= _unrecorded(record, running)
                self._tell_end(self._spool.hold("end", row), row)
            raise
        finally:
            self._drain.want()

    def follow(self, chosen: EventFilter, cursor: str, *, is_endless: bool) -> Following:
        """Takes a place in the stream of events. Raises CursorInvalid."""
        return self._stream.follow(chosen, cursor, is_endless=is_endless)

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
        parameters, parts = SELECTION.of(chosen, before)
        rows = await self._database.query("page_invocations", parameters | {"limit": limit}, parts)
        return [invocation_from(row) for row in rows]

    def _write(self, subject: Subject, event: Event) -> None:
        row = event_row(subject.invocation_id, event)
        self._stream.publish(self._spool.append("event", row), subject, row)

    def _tell_end(self, sequence: int, row: Mapping[str, Any]) -> None:
        if self._stream.is_followed:
            is_failure = row["state"] == State.FAILED
            self._stream.publish(sequence, subject_from(row), ended_row(row), is_failure=is_failure)


def _full(spool: Spool) -> StoreFull:
    return StoreFull(
        f"{spool.waiting_bytes} bytes of records wait for the database. "
        "Send less, or see why its disk is full or slow.",
        retry_after=5.0,
    )


def _unrecorded(record: Invocation, running: _Running) -> dict[str, Any]:
    """What a record says that could not be written before the answer: what its caller is told then.

    That a call was refused or cancelled is told as it is; what the handler did is not.
    """
    if record.state is State.CANCELLED or (record.failure and record.failure.executed is Executed.NO):
        return {}
    failure = _lost(record.tool, running.retry_safe)
    return {"state": State.FAILED.value, "failure": failure, "output_json": ""}


def _lost(tool: str, retry_safe: bool) -> str:  # noqa: FBT001 - as a row has it
    fault = NodeLost if retry_safe else OutcomeUnknown
    return failure_json(fault(tool=tool).failure())


_EVENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any] | None]]] = {
    "begin": lambda row: started_row(row) if row["state"] == State.RUNNING else None,
    "event": dict,
    "end": ended_row,
}
"""The event that each kind of the spool's rows is; a call that waits for its slot has not started."""


def plan(entries: Sequence[Entry]) -> list[Statement]:
    """Says which statements write some rows; a call that begins and ends among them needs one."""
    begun: dict[str, Mapping[str, Any]] = {}
    ended: list[Mapping[str, Any]] = []
    finished: list[Mapping[str, Any]] = []
    events: list[Mapping[str, Any]] = []
    for sequence, kind, row, _ in entries:
        if event := _EVENTS[kind](row):
            event["sequence"] = sequence
            events.append(event)
        if kind == "begin":
            begun[row["invocation_id"]] = row
        elif kind == "end":
            whole = {**begun.pop(row["invocation_id"], {}), **row}
            (ended if "input_json" in whole else finished).append(whole)
    begins = list(begun.values())
    written: dict[str, Sequence[Mapping[str, Any]]] = {
        "begin_invocation": begins,
        "end_invocation": ended,
        "finish_invocation": finished,
        "add_event": events,
        "add_label": _labels([*begins, *ended, *finished]),
    }
    return [Statement(name, rows) for name, rows in written.items() if rows]


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"invocation_id": row["invocation_id"], "key": storable(key), "value": storable(value)}
        for row in rows
        if row["labels"] != "{}"
        for key, value in json.loads(row["labels"]).items()
    ]


async def interrupt(database: Database, time: int, first: int) -> int:
    """Marks what an earlier process left unfinished as interrupted at `time` (microseconds).

    The `ended` events get the sequence numbers from `first` on, which are marked as given out. Returns how
    many there were.
    """
    rows = [
        {
            "invocation_id": invocation_id,
            "state": State.FAILED.value,
            "failure": _lost(tool, bool(retry_safe)),
            "create_time": create_time,
            "end_time": max(
                time, create_time
            ),  # a clock that was set back does not end a call before it came
            "interrupted": 1,
        }
        for invocation_id, tool, retry_safe, create_time in await database.query("unfinished_invocations", {})
    ]
    events = [ended_row(row) | {"sequence": sequence} for sequence, row in enumerate(rows, first)]
    written = {"interrupt_invocation": rows, "add_event": events}
    mark = Statement("mark_drained", ({"sequence": first + len(rows) - 1},))
    await database.transaction([*(Statement(name, rows) for name, rows in written.items() if rows), mark])
    return len(rows)
