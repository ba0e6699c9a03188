"""Every way a call can go wrong, one class a reason, split by whose fault it is.

    ToolcellError
    ├── Refusal               Toolcell did not run the handler: executed = NO, a gRPC status
    │   ├── CallerFault       the request, its token or its arguments
    │   ├── ToolFault         the tool cannot run as it is deployed
    │   └── PlatformFault     us: overload, draining, the store
    └── HandlerFault          the handler had the call: a `Failure` in an OK answer, a status on native calls

Each class knows its gRPC code, whether a client may resend the same request (`retryable`), what `executed`
says, the sentence for the model, and the metadata keys it carries. Codes and advice follow AIP-193 and
AIP-194: only UNAVAILABLE may be resent blindly, and everything UNAVAILABLE has executed = NO.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any, ClassVar

DOMAIN = "toolcell.dev"


class Reason(StrEnum):
    """The `reason` of google.rpc.ErrorInfo.

    Equal to the proto enum `toolcell.v1.ErrorReason` without its prefix.
    """

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004
        """Makes each value its own name."""
        return name

    TOKEN_MISSING = auto()
    TOKEN_MALFORMED = auto()
    TOKEN_INVALID = auto()
    TOKEN_EXPIRED = auto()
    TOKEN_REVOKED = auto()
    RPC_FORBIDDEN = auto()
    TOOL_FORBIDDEN = auto()
    METHOD_NOT_FOUND = auto()
    TOOL_NOT_FOUND = auto()
    INVOCATION_NOT_FOUND = auto()
    JOB_NOT_FOUND = auto()
    TOKEN_NOT_FOUND = auto()
    REQUEST_INVALID = auto()
    PAGE_TOKEN_INVALID = auto()
    CURSOR_INVALID = auto()
    DIALECT_UNKNOWN = auto()
    INPUT_INVALID = auto()
    INPUT_TOO_LARGE = auto()
    RATE_LIMITED = auto()
    CONCURRENCY_LIMITED = auto()
    QUEUE_FULL = auto()
    TOOL_UNAVAILABLE = auto()
    SERVER_OVERLOADED = auto()
    SERVER_DRAINING = auto()
    STORE_UNAVAILABLE = auto()
    STORE_FULL = auto()
    INTERNAL_ERROR = auto()
    TOOL_ERROR = auto()
    TOOL_TRANSIENT = auto()
    HANDLER_CRASHED = auto()
    HANDLER_TIMEOUT = auto()
    HANDLER_OOM = auto()
    HANDLER_CPU_EXCEEDED = auto()
    HANDLER_SANDBOX_VIOLATION = auto()
    HANDLER_PROTOCOL_ERROR = auto()
    OUTPUT_INVALID = auto()
    OUTPUT_TOO_LARGE = auto()
    CANCELLED = auto()
    OUTCOME_UNKNOWN = auto()
    NODE_LOST = auto()


class Executed(StrEnum):
    """Whether the handler ran; it decides whether anything may be resent."""

    NO = "NO"
    MAYBE = "MAYBE"
    YES = "YES"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rejected field: a path such as `items[2].sku`, a sentence, and the id of the rule it breaks."""

    field: str
    description: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """What the handler's side of a call ended with: `message` is for the model, `details` is JSON data."""

    reason: Reason
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    retryable: bool = False
    executed: Executed = Executed.MAYBE
    attempt: int = 1


class ToolcellError(Exception):
    """Carries what, where and what to do.

    `message` is for whoever operates the orchestrator; `told` for the model. `metadata` is public: no secret,
    no rejected value. `retry_after` is in seconds.
    """

    reason: ClassVar[Reason]
    code: ClassVar[str]
    executed: ClassVar[Executed] = Executed.NO
    retryable: ClassVar[bool] = False
    origin: ClassVar[str] = "caller"
    keys: ClassVar[tuple[str, ...]] = ()
    sentence: ClassVar[str] = "The tool is not available in this session."

    def __init__(
        self,
        message: str = "",
        *,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
        **metadata: object,
    ) -> None:
        self.metadata = {key: str(value) for key, value in metadata.items()}
        self.violations = tuple(violations)
        self.retry_after = retry_after
        if retry_after is not None:
            self.metadata["retry_after"] = f"{retry_after:.1f}"
        self.message = message or self.told
        super().__init__(self.message)

    @property
    def told(self) -> str:
        """The sentence for the model; never a rejected value, never a stack."""
        return self.sentence.format_map(_Blank(self.metadata))


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"the {key.replace('_', ' ')}"


class Refusal(ToolcellError):  # noqa: N818 - the glossary's word
    """Toolcell did not run the handler."""

    def failure(self, *, attempt: int = 0) -> Failure:
        """Returns what a record says of a call or a job that was refused."""
        return Failure(self.reason, self.told, self.metadata, self.retryable, self.executed, attempt)


class CallerFault(Refusal):
    """The request, its token or its arguments are not acceptable."""


class ToolFault(Refusal):
    """The tool cannot run as it is deployed."""

    origin = "tool"


class PlatformFault(Refusal):
    """Toolcell itself cannot take the call now."""

    origin = "platform"


class HandlerFault(ToolcellError):  # noqa: N818 - named for whose fault it is
    """The handler had the call; what happened is an outcome, not a refusal."""

    origin = "tool"
    code = "UNKNOWN"
    executed = Executed.MAYBE
    sentence = "{tool} failed internally. It may or may not have taken effect; check before repeating."
    safe_sentence: ClassVar[str] = ""
    details: Mapping[str, Any] = {}

    def failure(self, *, is_retry_safe: bool = False, attempt: int = 1) -> Failure:
        """Returns the outcome a caller sees; for a retry-safe tool its message may invite to try again."""
        told = self.safe_sentence.format_map(_Blank(self.metadata)) if is_retry_safe else ""
        return Failure(
            self.reason,
            told or self.told,
            self.details or self.metadata,
            self.retryable,
            self.executed,
            attempt,
        )


# ── the caller's fault ──────────────────────────────────────────────────────────────────────────────────────


class TokenMissing(CallerFault):
    """No `authorization: Bearer tc_…` metadata came with the request."""

    reason, code = Reason.TOKEN_MISSING, "UNAUTHENTICATED"


class TokenMalformed(CallerFault):
    """The bearer token is not of Toolcell's form, or its checksum is wrong (cut off while copying?)."""

    reason, code = Reason.TOKEN_MALFORMED, "UNAUTHENTICATED"


class TokenInvalid(CallerFault):
    """The token is well formed but not one of this server's."""

    reason, code = Reason.TOKEN_INVALID, "UNAUTHENTICATED"


class TokenExpired(CallerFault):
    """The token's expire_time has passed."""

    reason, code = Reason.TOKEN_EXPIRED, "UNAUTHENTICATED"


class TokenRevoked(CallerFault):
    """The token was revoked."""

    reason, code = Reason.TOKEN_REVOKED, "UNAUTHENTICATED"


class RpcForbidden(CallerFault):
    """The token's grants do not name this RPC's group."""

    reason, code, keys = Reason.RPC_FORBIDDEN, "PERMISSION_DENIED", ("group",)


class ToolForbidden(CallerFault):
    """The token's grants do not name this tool; said before the tool is looked up."""

    reason, code, keys = Reason.TOOL_FORBIDDEN, "PERMISSION_DENIED", ("tool",)
    sentence = "You may not use {tool}. Do not retry; use another way."


class MethodNotFound(CallerFault):
    """No such gRPC method is served."""

    reason, code, keys = Reason.METHOD_NOT_FOUND, "UNIMPLEMENTED", ("method",)


class ToolNotFound(CallerFault):
    """No tool of this name is served; `near` names granted tools only."""

    reason, code, keys = Reason.TOOL_NOT_FOUND, "NOT_FOUND", ("tool", "near")
    sentence = "There is no tool {tool}. Available: {near}."


class InvocationNotFound(CallerFault):
    """No such invocation, or it is another caller's."""

    reason, code, keys = Reason.INVOCATION_NOT_FOUND, "NOT_FOUND", ("invocation_id",)


class JobNotFound(CallerFault):
    """No such job, or it is another caller's."""

    reason, code, keys = Reason.JOB_NOT_FOUND, "NOT_FOUND", ("job_id",)
    sentence = "Job {job_id} does not exist or has expired."


class TokenNotFound(CallerFault):
    """No such token."""

    reason, code, keys = Reason.TOKEN_NOT_FOUND, "NOT_FOUND", ("token_id",)


class RequestInvalid(CallerFault):
    """A field of the RPC's own request is not acceptable; the violations name it."""

    reason, code = Reason.REQUEST_INVALID, "INVALID_ARGUMENT"


class PageTokenInvalid(CallerFault):
    """The page token is not one this server made for this query."""

    reason, code = Reason.PAGE_TOKEN_INVALID, "INVALID_ARGUMENT"


class CursorInvalid(CallerFault):
    """The cursor is not one this server gave."""

    reason, code = Reason.CURSOR_INVALID, "INVALID_ARGUMENT"


class DialectUnknown(CallerFault):
    """No such dialect; `known` lists those there are."""

    reason, code, keys = Reason.DIALECT_UNKNOWN, "INVALID_ARGUMENT", ("dialect", "known")


class InputInvalid(CallerFault):
    """The arguments break the tool's contract; every violation is listed, at most 20."""

    reason, code, keys = Reason.INPUT_INVALID, "INVALID_ARGUMENT", ("tool",)

    @property
    def told(self) -> str:
        """Names every rejected field and its rule, so that a model can correct them in one go."""
        shown = "; ".join(
            f"{v.field}: {v.description}" if v.field else v.description for v in self.violations
        )
        return f"Arguments rejected: {shown.rstrip('.')}. Correct these fields and call again."


class InputTooLarge(CallerFault):
    """The arguments are larger than the server's limit; `size` and `limit` are in bytes."""

    reason, code, keys = Reason.INPUT_TOO_LARGE, "RESOURCE_EXHAUSTED", ("size", "limit")
    sentence = "Input is {size} bytes, the limit is {limit}. Send less."


class RateLimited(CallerFault):
    """The caller or the tool is over its rate; `retry_after` says when to come back."""

    reason, code, keys = Reason.RATE_LIMITED, "RESOURCE_EXHAUSTED", ("tool", "scope", "limit", "retry_after")
    sentence = "Too many calls. Wait {retry_after} s, then call again once."


class ConcurrencyLimited(CallerFault):
    """The call waited for one of the tool's slots until its queue timeout."""

    reason, code, keys = Reason.CONCURRENCY_LIMITED, "RESOURCE_EXHAUSTED", ("tool", "limit", "retry_after")
    sentence = "Too many calls. Wait {retry_after} s, then call again once."


class QueueFull(CallerFault):
    """Too many calls of the tool wait already."""

    reason, code, keys = Reason.QUEUE_FULL, "RESOURCE_EXHAUSTED", ("tool", "limit", "retry_after")
    sentence = "Too many calls. Wait {retry_after} s, then call again once."


# ── the tool cannot run ─────────────────────────────────────────────────────────────────────────────────────


class ToolUnavailable(ToolFault):
    """The tool is deployed wrongly; `cause` says how (see `Cause` in model/tool)."""

    reason, code, keys = Reason.TOOL_UNAVAILABLE, "FAILED_PRECONDITION", ("tool", "cause")
    sentence = "{tool} is not available: it is not set up correctly on the server. Do not retry."


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────


class ServerOverloaded(PlatformFault):
    """Too many calls are in flight in the whole server."""

    reason, code, retryable = Reason.SERVER_OVERLOADED, "UNAVAILABLE", True
    sentence = "Temporary problem, nothing was done. Try again in a moment."


class ServerDraining(PlatformFault):
    """The server is shutting down and takes no new calls."""

    reason, code, retryable = Reason.SERVER_DRAINING, "UNAVAILABLE", True
    sentence = "Temporary problem, nothing was done. Try again in a moment."


class StoreUnavailable(PlatformFault):
    """The database cannot be written; nothing was run."""

    reason, code, retryable = Reason.STORE_UNAVAILABLE, "UNAVAILABLE", True
    sentence = "Temporary problem, nothing was done. Try again in a moment."


class StoreFull(PlatformFault):
    """The disk or the spool is full; nothing was run."""

    reason, code, retryable = Reason.STORE_FULL, "UNAVAILABLE", True
    sentence = "Temporary problem, nothing was done. Try again in a moment."


class InternalError(PlatformFault):
    """A bug of ours; `request_id` is the invocation or a fresh id, and the server's log has the stack."""

    reason, code, executed, keys = Reason.INTERNAL_ERROR, "INTERNAL", Executed.MAYBE, ("request_id",)
    sentence = "Internal error {request_id}."


# ── the handler had the call ────────────────────────────────────────────────────────────────────────────────


class ToolDeclaredError(HandlerFault):
    """The handler raised `ToolError`: its own message reaches the model, cut at 2,000 characters."""

    reason, code, executed = Reason.TOOL_ERROR, "FAILED_PRECONDITION", Executed.YES
    limit: ClassVar[int] = 2000

    def __init__(self, message: str, *, tool: str, details: Mapping[str, Any] | None = None) -> None:
        self._words = message[: self.limit]
        self.details = details or {}
        super().__init__(self._words, tool=tool)

    @property
    def told(self) -> str:
        """The handler's message, verbatim."""
        return self._words


class ToolTransient(ToolDeclaredError):  # noqa: N818 - named for its reason
    """A retry-safe tool's handler raised `ToolError(retryable=True)`: nothing happened, try again."""

    reason, code, executed, retryable = Reason.TOOL_TRANSIENT, "UNAVAILABLE", Executed.NO, True


class HandlerCrashed(HandlerFault):
    """The handler raised, exited or died by a signal; the stack is in the trace."""

    reason, keys = Reason.HANDLER_CRASHED, ("tool", "exit", "signal")
    safe_sentence = "{tool} failed internally. Calling it again is safe; you may try once more."


class HandlerTimeout(HandlerFault):
    """The handler was killed at its deadline; `timeout` is in seconds."""

    reason, code, keys = Reason.HANDLER_TIMEOUT, "DEADLINE_EXCEEDED", ("tool", "timeout")
    sentence = "{tool} did not finish in {timeout} s and was stopped. It may or may not have taken effect."
    safe_sentence = "{tool} did not finish in {timeout} s and was stopped. You may try once more, for less."


class HandlerOom(HandlerFault):
    """The handler needed more memory than its policy gives; `limit` is in bytes."""

    reason, keys = Reason.HANDLER_OOM, ("tool", "limit")
    sentence = "{tool} ran out of memory. Ask for less at once; it may or may not have taken effect."


class HandlerCpuExceeded(HandlerFault):
    """The handler used more CPU than its policy gives; `limit` is in seconds."""

    reason, keys = Reason.HANDLER_CPU_EXCEEDED, ("tool", "limit")
    sentence = "{tool} used up its CPU time and was stopped. It may or may not have taken effect."


class HandlerSandboxViolation(HandlerFault):
    """The handler did what its cell forbids and was killed."""

    reason, keys = Reason.HANDLER_SANDBOX_VIOLATION, ("tool", "signal")
    sentence = "{tool} was stopped because it did something it is not allowed to do. Do not retry."


class HandlerProtocolError(HandlerFault):
    """The cell broke the wire's rules: a malformed, oversized or unexpected frame."""

    reason, keys = Reason.HANDLER_PROTOCOL_ERROR, ("tool", "detail")


class OutputInvalid(HandlerFault):
    """The handler's answer breaks the tool's contract; the trace has the violations."""

    reason, keys = Reason.OUTPUT_INVALID, ("tool", "field")
    sentence = "{tool} ran, but its answer does not match its contract. Do not repeat it; tell the user."


class OutputTooLarge(HandlerFault):
    """The handler's answer is larger than the tool's output limit; `limit` is in bytes."""

    reason, keys = Reason.OUTPUT_TOO_LARGE, ("tool", "limit")
    sentence = "{tool} ran, but its answer is larger than {limit} bytes. Ask for less."


class Cancelled(HandlerFault):
    """The caller went away, the job was cancelled, or the server shut down; the handler was killed."""

    reason, code, keys = Reason.CANCELLED, "CANCELLED", ("tool",)
    sentence = "The call was cancelled."


class OutcomeUnknown(HandlerFault):
    """The server died, or could not record the outcome, while a tool that is not retry-safe ran."""

    reason, keys = Reason.OUTCOME_UNKNOWN, ("tool",)
    sentence = (
        "{tool} was interrupted and it is not known whether it took effect. "
        "Verify first; do not repeat blindly."
    )


class NodeLost(HandlerFault):
    """The server died while a retry-safe tool ran: calling it again is safe."""

    reason, keys = Reason.NODE_LOST, ("tool",)
    sentence = "{tool} was interrupted. Calling it again is safe."
