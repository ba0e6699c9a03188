"""A request on its way, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolcell.model.caller import Caller
from toolcell.model.errors import Failure
from toolcell.model.job import Job
from toolcell.model.span import Invocation
from toolcell.model.tool import Tool


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller asks: `arguments_json` is the text a model produced, not yet looked at.

    `is_struct` says whether the arguments came as a Struct.
    From a native call the arguments come as `arguments_wire` instead: the bytes of the tool's own request.
    `dialect` names the form in which a model was shown the tool; "" stands for ProtoJSON as it is.
    """

    tool: str
    arguments_json: str = ""
    tool_call_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    is_struct: bool = False
    arguments_wire: bytes | None = None
    dialect: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the handler did, `output_json` (canonical ProtoJSON text) or `failure`; or the `job` to do it."""

    output_json: str = ""
    failure: Failure | None = None
    job: Job | None = None


class Call:
    """Walks down the stages; each fact raises AttributeError until the stage that gives it has run.

    A door fills the first four: `authorization` (the metadata value or ""), `traceparent` (or ""), `deadline`
    (seconds on the monotonic clock, or None) and `read`, which decodes the request and raises a Refusal when
    it is not acceptable. For an attempt of a job the engine fills `job` too. The stages give the others, in
    the order they stand here. `is_begun` says whether the record's first row is written, `progress` is the
    last thing that the handler said about how far it is.
    """

    __slots__ = (
        "arguments_json",
        "authorization",
        "caller",
        "contract",
        "deadline",
        "is_begun",
        "job",
        "progress",
        "question",
        "read",
        "record",
        "tool",
        "traceparent",
    )

    authorization: str
    traceparent: str
    deadline: float | None
    read: Callable[[], Question]
    job: Job
    record: Invocation
    caller: Caller
    question: Question
    tool: Tool
    contract: Any
    arguments_json: str
    is_begun: bool
    progress: Mapping[str, Any]

    def __init__(
        self, *, authorization: str, traceparent: str, deadline: float | None, read: Callable[[], Question]
    ) -> None:
        self.authorization = authorization
        self.traceparent = traceparent
        self.deadline = deadline
        self.read = read
        self.is_begun = False
        self.progress = {}
