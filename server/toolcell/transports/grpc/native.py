"""The doors of the tools' own methods: `/package.Service/Method` with the messages of the tool's contract.

The answer has no place for anything but the output. So what an InvokeRequest holds besides the arguments
comes as metadata, the invocation's id goes back as trailing metadata, and a failure becomes a status.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from toolcell.contracts.catalog import Snapshot
from toolcell.model.call import Question
from toolcell.model.caller import Grants
from toolcell.model.errors import Failure, HandlerFault, Reason, Violation
from toolcell.transports.grpc import invoke, requests
from toolcell.transports.grpc.doors import Doors, credentials, read
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context, Failed
from toolcell.transports.grpc.traffic import Traffic

TOOL_CALL_ID: Final = "toolcell-tool-call-id"
LABEL: Final = "toolcell-label-"
OURS: Final = ("toolcell-", "idempotency-key")
"""What metadata of ours begins with; what is not honoured is refused: ignored, it could cost twice."""

OWN_CODES: Final = frozenset(
    {
        "ABORTED",
        "ALREADY_EXISTS",
        "DATA_LOSS",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "OUT_OF_RANGE",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "UNKNOWN",
    }
)
"""Codes that a handler may choose for its error. Not UNAVAILABLE, which clients resend by themselves, not
UNAUTHENTICATED, which makes them drop their token, and none that says what only Toolcell can know."""


class Native:
    """Finds the tool of a path in the served snapshot, and answers for it."""

    def __init__(self, services: Services, traffic: Traffic, message_bytes: int) -> None:
        self._services = services
        self._traffic = traffic
        self._message_bytes = message_bytes
        self._paths: tuple[Snapshot, dict[str, str]] = (Snapshot(), {})

    def serve(self, doors: Doors) -> None:
        """Takes every path that is not in the table."""
        self._doors = doors
        doors.add_rest(self.answer)

    async def answer(self, path: str, context: Context) -> bytes:
        """Answers a call of a path; raises MethodNotFound when no granted tool has it.

        A stranger to a tool hears what he would hear if it did not exist.
        """
        authorization, _ = credentials(context)
        grants = self._services.gate.identify(authorization).grants
        if not self._is_granted(path, grants):
            granted = (known for known in self.paths() if self._is_granted(known, grants))
            raise self._doors.unknown(path, granted)
        self._traffic.take_new()
        call = invoke.new_call(self._services, context, Inquiry(self, path, context, await read(context)))
        outcome = await invoke.outcome_of(call, self._services, self._traffic, context)
        invoke.name_record(context, call)
        if outcome.failure is not None:
            raise Failed(outcome.failure, code_of(outcome.failure))
        answer: bytes = call.contract.encode_wire(outcome.output_json)
        return answer

    def named(self, path: str) -> str:
        """Returns the name of a path's tool; raises MethodNotFound when a reload has just taken it away."""
        name = self.paths().get(path)
        if name is None:
            raise self._doors.unknown(path)
        return name

    def paths(self) -> Mapping[str, str]:
        """Maps every tool's path to its name, by the snapshot that is served now."""
        snapshot, paths = self._paths
        if snapshot is not self._services.catalog.snapshot:
            snapshot = self._services.catalog.snapshot
            paths = {entry.tool.path: name for name, entry in snapshot.entries.items() if entry.tool.path}
            self._paths = (snapshot, paths)
        return paths

    def bound(self, body: bytes) -> None:
        """Raises InputTooLarge when a request is larger than the server takes."""
        requests.bound_size(body, self._message_bytes)

    def _is_granted(self, path: str, grants: Grants) -> bool:
        name = self.paths().get(path)
        return name is not None and grants.includes(name)


class Inquiry:
    """Reads the question out of path, metadata and bytes when the pipeline asks for it.

    The path is looked up at that moment: the revision that the pipeline resolves next is then the one whose
    messages the bytes are held against, also when a reload came while they were on their way.
    """

    __slots__ = ("_body", "_context", "_native", "_path")

    def __init__(self, native: Native, path: str, context: Context, body: bytes) -> None:
        self._native = native
        self._path = path
        self._context = context
        self._body = body

    def __call__(self) -> Question:
        """Returns the question; raises MethodNotFound, InputTooLarge or RequestInvalid."""
        name = self._native.named(self._path)
        self._native.bound(self._body)
        given = [(key, value) for key, value in self._context.invocation_metadata() or () if _is_ours(key)]
        requests.require(_acceptable(given))
        words = {key: str(value) for key, value in given}
        labels = {key.removeprefix(LABEL): word for key, word in words.items() if key != TOOL_CALL_ID}
        requests.require(
            requests.text(TOOL_CALL_ID, words.get(TOOL_CALL_ID, "")), requests.labels(f"{LABEL}*", labels)
        )
        return Question(
            name, tool_call_id=words.get(TOOL_CALL_ID, ""), labels=labels, arguments_wire=self._body
        )


def code_of(failure: Failure) -> str:
    """Returns the gRPC code of a failure: its reason's, or the handler's own where that is allowed."""
    own = failure.details.get("code")
    if failure.reason is Reason.TOOL_ERROR and own in OWN_CODES:
        return str(own)
    return _CODES[failure.reason]


def _codes(root: type[HandlerFault]) -> Iterator[tuple[Reason, str]]:
    for fault in root.__subclasses__():
        yield fault.reason, fault.code
        yield from _codes(fault)


_CODES: Final = dict(_codes(HandlerFault))


def _is_ours(key: str) -> bool:
    return key.startswith(OURS)


def _acceptable(given: list[tuple[str, str | bytes]]) -> requests.Violations:
    """Wants only keys that are honoured, each once, with text for a value."""
    seen: set[str] = set()
    for key, value in given:
        if key != TOOL_CALL_ID and not key.startswith(LABEL):
            yield Violation(key, "is not honoured by this server; leave it out", "metadata.known")
        elif key in seen:
            yield Violation(key, "must stand once", "metadata.unique")
        elif not isinstance(value, str):
            yield Violation(key, "must be text; a key must not end in -bin", "metadata.text")
        seen.add(key)
