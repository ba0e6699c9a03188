"""The stream of events as followers see it: what an event is there, which are chosen, how they come."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Subject:
    """What identifies an invocation to those who follow its events."""

    invocation_id: str
    tool: str
    caller: str
    trace_id: str
    tool_call_id: str
    job_id: str
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
    job_id: str = ""
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
            and (not self.job_id or self.job_id == subject.job_id)
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
