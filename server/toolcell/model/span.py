"""What is remembered of an invocation: its record and its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from toolcell.model.errors import Failure


class State(StrEnum):
    """The only states (AIP-216). A refused call is FAILED with `failure.executed` NO."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class EventKind(StrEnum):
    """What an event of a trace tells; the first and the last come from the record itself."""

    STARTED = "started"
    LOG = "log"
    STDOUT = "stdout"
    STDERR = "stderr"
    PROGRESS = "progress"
    EXCEPTION = "exception"
    VIOLATION = "violation"
    TRUNCATED = "truncated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened during an invocation.

    `body` is small JSON data: `{"text"}` for stdout and stderr lines, `{"level", "message", "fields"}` for
    logs, `{"fraction", "message"}` for progress, `{"type", "message", "stack"}` for exceptions, `{"syscall"}`
    or `{"signal"}` for violations, `{"dropped"}` where a bound cut events off.
    """

    time: int
    kind: EventKind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cell used, as the kernel counted it.

    CPU microseconds and peak resident bytes (0 = not known).
    """

    cpu_microseconds: int = 0
    memory_peak_bytes: int = 0


@dataclass(slots=True)
class Invocation:
    """One execution as recorded. Times are microseconds since the epoch; 0 and "" mean not set.

    `attempt` counts the attempts of the job `job_id`; it is 1 for a call of its own.
    """

    invocation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str = ""
    tool: str = ""
    revision: str = ""
    caller: str = ""
    token_id: str = ""
    tool_call_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: State = State.RUNNING
    isolation_level: int = 0
    create_time: int = 0
    start_time: int = 0
    end_time: int = 0
    input_json: str = ""
    output_json: str = ""
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    interrupted: bool = False
    job_id: str = ""
    attempt: int = 1
