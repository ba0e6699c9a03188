"""What the floors above ask of the store, and what the store asks of a database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from toolcell.model.caller import Token
from toolcell.model.span import Event, Invocation, State

Parameters = Mapping[str, Any]
Row = tuple[Any, ...]


class StoreUnusable(Exception):  # noqa: N818 - a sentence for whoever starts the server, not a reason on the wire
    """The store cannot be opened: what is wrong, in which file, and the remedy."""

    def __init__(self, message: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{message} ({where}). {remedy}")
        self.message, self.where, self.remedy = message, where, remedy


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Chooses invocations; every field that is set must match. `create_time_from` is in microseconds."""

    tool: str = ""
    caller: str = ""
    state: State | None = None
    tool_call_id: str = ""
    trace_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    create_time_from: int = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long invocations and their events are kept: the older go first, whichever bound is met first."""

    age_seconds: float = 7 * 24 * 3600.0
    size_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Subject:
    """What identifies an invocation to those who follow its events."""

    invocation_id: str
    tool: str
    caller: str
    trace_id: str
    tool_call_id: str
    labels: Mapping[str, str]


class Happening(NamedTuple):
    """An event of the whole server's stream.

    `body` is JSON text: what is kept is what is told, live and from the database. `is_failure` marks the
    `ended` of an invocation that FAILED.
    """

    sequence: int
    subject: Subject
    time: int
    kind: str
    body: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Chooses events by their invocation; every field that is set must match.

    `only_failed` leaves of everything the `ended` of invocations that FAILED: while one runs nobody knows
    how it will end, and a replay tells what was told live.
    """

    tool: str = ""
    caller: str = ""
    invocation_id: str = ""
    trace_id: str = ""
    tool_call_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    only_failed: bool = False

    def takes(self, happening: Happening) -> bool:
        """Tells whether an event matches."""
        subject = happening.subject
        return (
            (not self.tool or self.tool == subject.tool)
            and (not self.caller or self.caller == subject.caller)
            and (not self.invocation_id or self.invocation_id == subject.invocation_id)
            and (not self.trace_id or self.trace_id == subject.trace_id)
            and (not self.tool_call_id or self.tool_call_id == subject.tool_call_id)
            and (not self.only_failed or happening.is_failure)
            and (not self.labels or self.labels.items() <= subject.labels.items())
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """The next events of a stream, oldest first, and the cursor to resume after them.

    `gap` names the first and the last number of what retention has taken since the cursor: nothing of that
    range follows. `is_behind` tells that newer events wait already.
    """

    events: Sequence[Happening]
    cursor: str
    gap: tuple[int, int] | None = None
    is_behind: bool = False


class Following(Protocol):
    """A place in the stream of events; an iterator of batches, the first of which comes at once.

    Whoever is slow, or stops, holds up nobody: a place is a number and what it waits for.
    """

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Returns the batches; raises StoreFull or StoreUnavailable when they cannot be read."""
        ...

    def cursor_after(self, sequence: int) -> str:
        """Returns the cursor that resumes after an event."""
        ...

    def finish(self) -> None:
        """Has the stream end after what has happened until now."""
        ...

    def close(self) -> None:
        """Gives the place up."""
        ...


class Tokens(Protocol):
    """Bearer tokens as kept: digests, never the tokens. What was changed is durable on return."""

    async def load(self) -> list[Token]:
        """Returns every token, revoked and expired ones too, newest first."""
        ...

    async def add(self, token: Token) -> None:
        """Keeps a new token. Raises StoreFull or StoreUnavailable."""
        ...

    async def revoke(self, token_id: str, time: int) -> None:
        """Revokes a token from `time` on; the first time stays. Raises StoreFull or StoreUnavailable."""
        ...

    async def page(self, before: str, limit: int) -> list[Token]:
        """Returns at most `limit` tokens older than the one with the id `before` ("" = all), newest first."""
        ...


class Traces(Protocol):
    """Records of invocations and what happened during them."""

    def begin(self, record: Invocation, retry_safe: bool) -> None:  # noqa: FBT001 - a fact about the tool
        """Remembers that a call starts; it survives the death of the process when this returns.

        A call that waits begins as PENDING, and once more as RUNNING.
        `retry_safe` decides what the record says should the server die meanwhile. Raises StoreFull or
        StoreUnavailable.
        """
        ...

    def append(self, invocation_id: str, event: Event) -> None:
        """Remembers an event of a call between its `begin` and its `end`; any other is passed over.

        Never raises: events that find no place are counted, and `end` says so in the trace.
        """
        ...

    def end(self, record: Invocation) -> None:
        """Remembers the final record, also of a call that never began; survives the death of the process.

        Raises StoreFull or StoreUnavailable. If the call had begun and its handler ran, the record then says
        OUTCOME_UNKNOWN, or NODE_LOST where it was begun as `retry_safe`: so must its caller be told.
        """
        ...

    async def get(self, invocation_id: str) -> tuple[Invocation, list[tuple[int, Event]]] | None:
        """Returns a record and its events with their sequence numbers; sees all that was written before.

        `started` and `ended` are not among them: the record says it.

        Raises StoreFull or StoreUnavailable when what was written before cannot reach the database.
        """
        ...

    async def page(self, chosen: TraceFilter, before: str, limit: int) -> list[Invocation]:
        """Returns at most `limit` records older than the id `before` ("" = all), newest first.

        Raises as `get` does.
        """
        ...

    def follow(self, chosen: EventFilter, cursor: str, *, is_endless: bool) -> Following:
        """Takes a place in the stream after a cursor: "" is now, "0" the oldest event that is kept.

        The stream ends at what has happened by now unless it `is_endless`. Raises CursorInvalid.
        """
        ...


@dataclass(frozen=True, slots=True)
class Statement:
    """A named statement of queries.sql, run once for each of `rows`."""

    name: str
    rows: Sequence[Parameters] = ({},)


class Database(Protocol):
    """The few things asked of a database. Statements are named in queries.sql; parameters go by name.

    Every method but `open` raises StoreFull when there is no room and StoreUnavailable when the database
    cannot be used now.
    """

    async def open(self) -> None:
        """Connects and brings the schema up to date. Raises StoreUnusable."""
        ...

    async def close(self) -> None:
        """Finishes what was asked before and disconnects."""
        ...

    async def execute(self, name: str, parameters: Parameters) -> list[Row]:
        """Runs one statement; durable when it returns."""
        ...

    async def query(
        self, name: str, parameters: Parameters, parts: Mapping[str, str] | None = None
    ) -> list[Row]:
        """Reads a snapshot; sees everything committed before. `parts` fills the statement's `{places}`."""
        ...

    async def transaction(self, statements: Sequence[Statement], *, idle: bool = False) -> list[list[Row]]:
        """Runs the statements wholly or not at all; durable when it returns.

        Returns what each statement gave; one that is run for several rows of parameters gives nothing.
        An `idle` transaction waits until nothing else is to be written.
        """
        ...

    async def reclaim(self) -> None:
        """Gives freed space back to the disk, when nothing else is to be written."""
        ...
