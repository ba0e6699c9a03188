"""A refusal as google.rpc.Status: exactly one ErrorInfo, and the details its reason asks for.

Trailers are small: clients take 8 KiB of them all together by default, and the message travels twice
(percent-encoded in `grpc-message`, and inside the base64 of the details). Hence the bounds below; a list of
violations that does not fit is cut, never the ErrorInfo.
"""

import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from toolcell.model.errors import DOMAIN, Failure, InternalError, Reason, ToolcellError
from toolcell.model.ids import new_id
from toolcell.transports.grpc import messages

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Log = Callable[[str], None]

_STATUS_BYTES = 4096
_MESSAGE_BYTES = 1500
_VALUE_CHARS = 256
_STACK_CHARS = 16_384

_RESOURCES: Final = {
    Reason.TOOL_NOT_FOUND: ("toolcell.v1.Tool", "tool"),
    Reason.INVOCATION_NOT_FOUND: ("toolcell.v1.Invocation", "invocation_id"),
    Reason.JOB_NOT_FOUND: ("toolcell.v1.Job", "job_id"),
    Reason.TOKEN_NOT_FOUND: ("toolcell.v1.Token", "token_id"),
}
_DECLARED: Final = frozenset({Reason.TOOL_ERROR, Reason.TOOL_TRANSIENT})
_RETRY_SECONDS: Final = {
    Reason.SERVER_OVERLOADED: 1.0,
    Reason.SERVER_DRAINING: 1.0,
    Reason.STORE_UNAVAILABLE: 5.0,
    Reason.STORE_FULL: 5.0,
}


class Failed(ToolcellError):  # noqa: N818 - the glossary's word
    """A failure as a status, for a door whose answer has no place for it."""

    origin = "tool"

    def __init__(self, failure: Failure, code: str) -> None:
        """`code` names the gRPC code; one that clients resend by themselves must not hide a call that ran."""
        self.reason = failure.reason  # type: ignore[misc]  # here each instance has its own
        self.code = code  # type: ignore[misc]
        self.executed = failure.executed  # type: ignore[misc]
        self.failure = failure
        # what the handler declared goes into the Failure alone, all but its code
        is_declared = failure.reason in _DECLARED
        known = {"code": failure.details.get("code", "")} if is_declared else failure.details
        super().__init__(failure.message, **{key: word for key, word in known.items() if word})


async def refuse(context: Context, error: ToolcellError) -> NoReturn:
    """Ends an RPC with the error's status; keeps the trailing metadata that was set before."""
    status = to_status(error)
    trailers = (*context.trailing_metadata(), ("grpc-status-details-bin", status.SerializeToString()))
    await context.abort(grpc.StatusCode[error.code], status.message, trailers)


def internal(bug: BaseException, log: Log) -> InternalError:
    """Returns what a caller hears of an unexpected exception: an id, under which the log has the stack."""
    request_id = new_id("req")
    log(f"{request_id}: {''.join(traceback.format_exception(bug))[-_STACK_CHARS:]}")
    return InternalError(
        f"A bug in Toolcell: {request_id}. Its server's log has the stack; report both.",
        request_id=request_id,
    )


def to_status(error: ToolcellError) -> Status:
    """Returns the status of an error, at most 4 KiB of it."""
    status = Status(code=grpc.StatusCode[error.code].value[0], message=_cut_message(error.message))
    for detail in DETAILS:
        if (message := detail(error)) is not None:
            _attach(status, message)
    violations = _bad_request(error)
    if violations is not None:
        while violations.field_violations and not _attach(status, violations):
            del violations.field_violations[-1]
    return status


def _attach(status: Status, message: Message) -> bool:
    """Appends a detail unless the status would become too large."""
    packed = AnyMessage()
    packed.Pack(message)
    if status.ByteSize() + packed.ByteSize() + 4 > _STATUS_BYTES:
        return False
    status.details.append(packed)
    return True


def _cut_message(text: str) -> str:
    """Cuts a message so that it fits percent-encoded too."""
    text = "".join(c if c.isprintable() else " " for c in text[:_MESSAGE_BYTES])
    while len(quote(text)) > _MESSAGE_BYTES:
        text = text[: len(text) * 9 // 10].rstrip() + "…"
    return text


def _cut(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…"


def _retry_after(error: ToolcellError) -> float | None:
    return error.retry_after if error.retry_after is not None else _RETRY_SECONDS.get(error.reason)


def _error_info(error: ToolcellError) -> Message:
    metadata = {key: _cut(value) for key, value in error.metadata.items()}
    if "retry_after" in error.keys and error.retry_after is not None:
        metadata["retry_after"] = f"{error.retry_after:.3f}"
    metadata |= {"origin": error.origin, "executed": error.executed}
    info: Message = details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    return info


def _retry_info(error: ToolcellError) -> Message | None:
    seconds = _retry_after(error)
    if seconds is None:
        return None
    delay = Duration()
    delay.FromMicroseconds(round(seconds * 1e6))
    info: Message = details.RetryInfo(retry_delay=delay)
    return info


def _quota_failure(error: ToolcellError) -> Message | None:
    if error.code != "RESOURCE_EXHAUSTED":
        return None
    subject = ":".join(filter(None, (error.metadata.get("scope"), error.metadata.get("tool")))) or "request"
    violation = details.QuotaFailure.Violation(subject=_cut(subject), description=_cut(error.message))
    failure: Message = details.QuotaFailure(violations=[violation])
    return failure


def _resource_info(error: ToolcellError) -> Message | None:
    if error.reason not in _RESOURCES:
        return None
    kind, key = _RESOURCES[error.reason]
    info: Message = details.ResourceInfo(resource_type=kind, resource_name=_cut(error.metadata.get(key, "")))
    return info


def _failure(error: ToolcellError) -> Message | None:
    return messages.failure_message(error.failure) if isinstance(error, Failed) else None


def _bad_request(error: ToolcellError) -> details.BadRequest | None:
    if not error.violations:
        return None
    return details.BadRequest(
        field_violations=[
            details.BadRequest.FieldViolation(
                field=_cut(v.field), description=_cut(v.description), reason=_cut(v.rule)
            )
            for v in error.violations
        ]
    )


DETAILS: Final[tuple[Callable[[ToolcellError], Message | None], ...]] = (
    _error_info,
    _retry_info,
    _quota_failure,
    _resource_info,
    _failure,
)
"""Every kind of detail but the violations, which take the room that is left."""
