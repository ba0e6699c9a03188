"""What the floors above ask of the store, and what the store asks of a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolcell.model.caller import Token
from toolcell.model.job import Job
from toolcell.model.span import Event, Invocation, State
from toolcell.store.happenings import EventFilter, Following

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
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Chooses jobs; every field that is set must match."""

    tool: str = ""
    caller: str = ""
    state: State | None = None
    tool_call_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the line needs to know of a job that waits."""

    job_id: str
    tool: str
    caller: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long invocations and their events are kept: the older go first, whichever bound is met first."""

    age_seconds: float = 7 * 24 * 3600.0
    size_bytes: int = 1 << 30


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


class Jobs(Protocol):
    """Jobs as kept. What was written is durable; all methods raise StoreFull or StoreUnavailable."""

    async def add(self, job: Job) -> None:
        """Keeps a new job, whatever its state."""
        ...

    async def get(self, job_id: str) -> Job | None:
        """Returns a job; sees all that was written before."""
        ...

    async def change(self, was: Job, job: Job) -> bool:
        """Writes what became of a job, over the very row that it was made from.

        Returns False, and changes nothing, when one of the row's `STEERING` fields is not what `was` says.
        """
        ...

    async def page(self, chosen: JobFilter, before: str, limit: int) -> list[Job]:
        """Returns at most `limit` jobs older than the id `before` ("" = all), newest first."""
        ...

    async def waiting(self) -> list[Waiting]:
        """Returns what waits, oldest first; for the start of a server."""
        ...

    async def running(self) -> list[Job]:
        """Returns the jobs that a dead server left running, oldest first; for the start of a server."""
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
