"""Records of invocations and their events: `interface.Traces` over a spool and any database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolcell.model.clock import Clock
from toolcell.model.errors import Executed, NodeLost, OutcomeUnknown, PlatformFault, StoreFull
from toolcell.model.span import Event, EventKind, Invocation, State
from toolcell.store.drain import Drain
from toolcell.store.interface import Database, Statement, TraceFilter
from toolcell.store.rows import event_from, event_row, failure_json, invocation_from, invocation_row, storable
from toolcell.store.selection import Selection
from toolcell.store.spool import Entry, Spool

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

    input_json: str
    retry_safe: bool
    dropped: int = 0


class TraceTable:
    """Writes through the spool, reads from the database; see `interface.Traces`."""

    def __init__(self, spool: Spool, drain: Drain, database: Database, clock: Clock) -> None:
        self._spool, self._drain, self._database, self._clock = spool, drain, database, clock
        self._running: dict[str, _Running] = {}

    def begin(self, record: Invocation, retry_safe: bool) -> None:  # noqa: FBT001 - the pipeline's own order
        """Remembers that a call starts. Raises StoreFull or StoreUnavailable."""
        if self._spool.is_full:
            raise _full(self._spool)
        row = invocation_row(record)
        row["retry_safe"] = int(retry_safe)
        self._spool.append("begin", row)
        self._running[record.invocation_id] = _Running(record.input_json, retry_safe)
        self._drain.want()

    def append(self, invocation_id: str, event: Event) -> None:
        """Remembers an event of a running call, or counts it when there is no place for it."""
        running = self._running.get(invocation_id)
        if running is None:
            return  # what was answered does not change
        try:
            if self._spool.is_full:
                raise _full(self._spool)
            self._spool.append("event", event_row(invocation_id, event))
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
                self._spool.append("event", event_row(record.invocation_id, lost))
            self._spool.append("end", row)
        except PlatformFault:
            if running:
                self._spool.hold("end", row | _unrecorded(record, running))
            raise
        finally:
            self._drain.want()

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


def plan(entries: Sequence[Entry]) -> list[Statement]:
    """Says which statements write some rows; a call that begins and ends among them needs one."""
    begun: dict[str, Mapping[str, Any]] = {}
    ended: list[Mapping[str, Any]] = []
    finished: list[Mapping[str, Any]] = []
    events: list[Mapping[str, Any]] = []
    for sequence, kind, row, _ in entries:
        if kind == "begin":
            begun[row["invocation_id"]] = row
        elif kind == "event":
            events.append({**row, "sequence": sequence})
        else:
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


async def interrupt(database: Database, time: int) -> int:
    """Marks what an earlier process left unfinished as interrupted at `time` (microseconds).

    Returns how many there were.
    """
    unfinished = await database.query("unfinished_invocations", {})
    rows = []
    for invocation_id, tool, retry_safe in unfinished:
        failure = _lost(tool, bool(retry_safe))
        rows.append({"invocation_id": invocation_id, "failure": failure, "end_time": time})
    if rows:
        await database.transaction([Statement("interrupt_invocation", rows)])
    return len(rows)
