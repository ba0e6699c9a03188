"""The connection to a server, and its refusals in words. Imports grpc, so verbs import this module late."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

os.environ.setdefault(
    "GRPC_VERBOSITY", "NONE"
)  # the library's own log would mix with ours; read at its import

import grpc
from google.protobuf import message
from google.rpc import error_details_pb2, status_pb2

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Session, Target, aim
from toolcell.model.errors import DOMAIN
from toolcell.v1 import (
    admin_service_pb2_grpc,
    job_service_pb2_grpc,
    tool_service_pb2_grpc,
    trace_service_pb2_grpc,
)

READ_SECONDS = 15.0
"""Bounds every RPC but Invoke and WaitJob."""

PAGE_ROWS = 1000
"""The most rows that a server gives in one page."""

_AUTH = "not authorized"
_HINTS = {
    "TOKEN_MISSING": (_AUTH, "put a token into a file and name that in TOOLCELL_TOKEN_FILE"),
    "TOKEN_MALFORMED": (_AUTH, "copy the whole token, tc_…; was it cut off?"),
    "TOKEN_INVALID": (_AUTH, "this server did not make the token: does it belong to another one?"),
    "TOKEN_EXPIRED": (_AUTH, "ask for a new one: toolcell token create"),
    "TOKEN_REVOKED": (_AUTH, "ask for a new one: toolcell token create"),
    "RPC_FORBIDDEN": (_AUTH, "the token needs the group {group}: toolcell token create --group {group}"),
    "TOOL_FORBIDDEN": (_AUTH, "the token needs the tool: toolcell token create … --tool {tool}"),
    "METHOD_NOT_FOUND": ("internal", "the server is of another version: compare with `toolcell version`"),
    "TOOL_NOT_FOUND": ("not found", "did you mean {near}? `toolcell tools` lists them all"),
    "INVOCATION_NOT_FOUND": ("not found", "`toolcell runs` lists the invocations you may see"),
    "JOB_NOT_FOUND": ("not found", "`toolcell job list` lists the jobs you may see"),
    "TOKEN_NOT_FOUND": ("not found", "`toolcell token list` lists them"),
    "REQUEST_INVALID": ("invalid arguments", "correct what is named above"),
    "PAGE_TOKEN_INVALID": ("invalid arguments", "start again without a page token"),
    "CURSOR_INVALID": (
        "invalid arguments",
        "start again without a cursor, or from 0: the oldest that is kept",
    ),
    "DIALECT_UNKNOWN": ("usage", "one of: {known}"),
    "INPUT_INVALID": ("invalid arguments", "`toolcell tools {tool}` shows what it takes"),
    "INPUT_TOO_LARGE": ("invalid arguments", "send at most {limit} bytes"),
    "RATE_LIMITED": ("rate limited", "wait {retry_after} s, then call again"),
    "CONCURRENCY_LIMITED": ("rate limited", "wait {retry_after} s, then call again"),
    "QUEUE_FULL": ("rate limited", "wait {retry_after} s, then call again"),
    "TOOL_UNAVAILABLE": ("tool failed", "`toolcell tools {tool}` says why, and what to do"),
    "SERVER_OVERLOADED": ("server unreachable", "nothing was run: try again in a moment"),
    "SERVER_DRAINING": ("server unreachable", "nothing was run: try again when it is up again"),
    "STORE_UNAVAILABLE": ("server unreachable", "nothing was run: `toolcell doctor` looks at the database"),
    "STORE_FULL": ("server unreachable", "nothing was run: make room on the disk of the state directory"),
    "INTERNAL_ERROR": ("internal", "the server's log has the stack of {request_id}"),
}
"""What to exit with and what to advise for each reason a server refuses with."""

_CODES = {
    grpc.StatusCode.UNAVAILABLE: (
        "server unreachable",
        "is it running, and without TLS? `toolcell dev` starts one here; --ca FILE speaks TLS",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        "timeout",
        "give it longer, or find out with `toolcell runs` what it does",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("invalid arguments", "send less: a message holds at most 4 MiB"),
    grpc.StatusCode.CANCELLED: ("tool failed", "call again if you still need the answer"),
    grpc.StatusCode.UNAUTHENTICATED: (_AUTH, "put a token into a file and name that in TOOLCELL_TOKEN_FILE"),
}
"""The same for a status without a reason: the gRPC library made it, or something that is no Toolcell."""

_LISTED = {"INPUT_INVALID": "the arguments are rejected", "REQUEST_INVALID": "the request is rejected"}
"""What is said instead of a message that would repeat the violations below it."""

Answer = TypeVar("Answer")


class Client:
    """A connection to one server; a context manager that closes it."""

    def __init__(self, session: Session) -> None:
        self._target = aim(session)
        self._channel = _channel(self._target)
        self.tools = tool_service_pb2_grpc.ToolServiceStub(self._channel)
        self.jobs = job_service_pb2_grpc.JobServiceStub(self._channel)
        self.traces = trace_service_pb2_grpc.TraceServiceStub(self._channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def ask(
        self, method: Callable[..., Answer], request: Any, timeout: float | None = READ_SECONDS
    ) -> Answer:
        """Calls a method, for at most `timeout` seconds; raises CommandError for a refusal."""
        metadata = (("authorization", f"Bearer {self._target.bearer}"),)
        try:
            return method(request, metadata=metadata, timeout=timeout)
        except grpc.RpcError as error:
            raise fault_of(error, self._target) from None

    def stream(self, method: Callable[..., Iterator[Answer]], request: Any) -> Iterator[Answer]:
        """Yields the messages of a streaming method while it lasts; raises CommandError as `ask` does."""
        metadata = (("authorization", f"Bearer {self._target.bearer}"),)
        try:
            yield from method(request, metadata=metadata)
        except grpc.RpcError as error:
            raise fault_of(error, self._target) from None

    def newest(self, method: Callable[..., Any], request: Any, field: str, limit: int) -> list[Any]:
        """Returns at most `limit` rows of a listing method, from the first page on."""
        found: list[Any] = []
        request.page_size = min(limit, PAGE_ROWS)
        for page in self.pages(method, request):
            found += getattr(page, field)
            if len(found) >= limit:
                break
        return found[:limit]

    def pages(self, method: Callable[..., Answer], request: Any) -> Iterator[Answer]:
        """Yields page after page of a listing method."""
        while True:
            answer: Any = self.ask(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token


def fault_of(error: Any, target: Target) -> CommandError:
    """Turns a status into a fault: its reason, every violation on a line of its own, and what to do."""
    status = _details(error)
    info = _detail(status, error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN or info.reason not in _HINTS:
        name, hint = _CODES.get(error.code(), ("internal", "is it a Toolcell server of this version?"))
        if error.code() is grpc.StatusCode.UNAVAILABLE and target.tls:
            hint = "is it running, does it speak TLS, and do --ca, --cert and --key fit it?"
        words = " ".join((error.details() or "no answer").split())[:300]
        what = f"{target.address} answered {error.code().name}: {words}"
        return CommandError(what, exit_code=EXITS[name], hint=hint)
    name, hint = _HINTS[info.reason]
    facts = _Facts(info.metadata)
    if retry := _detail(status, error_details_pb2.RetryInfo):
        facts["retry_after"] = f"{retry.retry_delay.ToTimedelta().total_seconds():g}"
    if info.reason == "TOOL_NOT_FOUND" and not facts.get("near"):
        hint = "`toolcell tools` lists the tools you may call"
    bad = _detail(status, error_details_pb2.BadRequest)
    where = (
        [f"{v.field}: {v.description}" if v.field else v.description for v in bad.field_violations]
        if bad
        else []
    )
    what = _LISTED.get(info.reason, "") if where else ""
    return CommandError(
        what or error.details() or info.reason,
        exit_code=EXITS[name],
        hint=hint.format_map(facts),
        where=where,
        reason=info.reason,
    )


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key.upper()


def _details(error: Any) -> Any:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            with contextlib.suppress(message.DecodeError):  # no Toolcell made them
                return status_pb2.Status.FromString(value)
    return None


def _detail(status: Any, kind: Any) -> Any:
    detail = kind()
    return next((detail for packed in (status.details if status else ()) if packed.Unpack(detail)), None)


def _channel(target: Target) -> grpc.Channel:
    options = (
        ("grpc.enable_http_proxy", 0 if not target.tls else 1),  # a proxy has no business with loopback
        ("grpc.max_receive_message_length", 64 << 20),
        ("grpc.keepalive_time_ms", 60_000),  # a stream hears of a server whose machine is gone
        ("grpc.primary_user_agent", "toolcell-cli"),
    )
    if not target.tls:
        return grpc.insecure_channel(target.address, options)
    credentials = grpc.ssl_channel_credentials(target.ca, target.key, target.cert)
    return grpc.secure_channel(target.address, credentials, options)
