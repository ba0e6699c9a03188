"""Every door a call can come through, and what comes out of each, in one form."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, cast

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2 as details
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status

from toolcell.v1.admin_service_pb2_grpc import AdminServiceStub
from toolcell.v1.error_reason_pb2 import ErrorReason
from toolcell.v1.tool_service_pb2 import InvokeRequest, InvokeResponse
from toolcell.v1.tool_service_pb2_grpc import ToolServiceStub
from toolcell.v1.trace_service_pb2_grpc import TraceServiceStub

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call: an `output`, or the `reason` of a failure (`is_refusal` False) or of a refusal."""

    output: Any = None
    reason: str = ""
    is_refusal: bool = False
    message: str = ""
    fields: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    invocation_id: str = ""


class Site:
    """A running server as its callers see it."""

    def __init__(self, address: str, key: str, expired: str) -> None:
        self.address, self.key, self.expired = address, key, expired

    def __enter__(self) -> Self:
        self.channel = grpc.insecure_channel(self.address)
        self.tools = ToolServiceStub(self.channel)
        self.traces = TraceServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def metadata(self, bearer: str | None = None) -> Metadata:
        """Presents a token, by default one that may do everything."""
        return (("authorization", f"Bearer {bearer or self.key}"),)

    def is_well(self) -> bool:
        """Tells whether the server serves, and another tool still answers."""
        health = HealthStub(self.channel).Check(HealthCheckRequest())
        answer = self.tools.Invoke(
            InvokeRequest(tool="echo", arguments_json='{"name":"well"}'), metadata=self.metadata()
        )
        return bool(
            health.status == HealthCheckResponse.SERVING and json.loads(answer.output_json)["name"] == "well"
        )


class Door(Protocol):
    """One way in."""

    def __call__(self, site: Site, tool: str, arguments: Any) -> Result:
        """Calls a tool with JSON data."""
        ...


def grpc_json(site: Site, tool: str, arguments: Any) -> Result:
    """Invoke with JSON text."""
    request = InvokeRequest(tool=tool, arguments_json=json.dumps(arguments))
    return result(lambda: site.tools.Invoke(request, metadata=site.metadata()))


def grpc_struct(site: Site, tool: str, arguments: Any) -> Result:
    """Invoke with a Struct."""
    struct = json_format.ParseDict(arguments, Struct())
    request = InvokeRequest(tool=tool, arguments=struct)
    return result(lambda: site.tools.Invoke(request, metadata=site.metadata()))


DOORS: tuple[Door, ...] = (grpc_json, grpc_struct)


def result(call: Callable[[], Any]) -> Result:
    """Makes a gRPC call and returns what came of it."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return refused(cast("grpc.Call", error))
    if not isinstance(answer, InvokeResponse):
        return Result(answer)
    kind = answer.WhichOneof("outcome")
    if kind == "failure":
        reason = ErrorReason.Name(answer.failure.reason).removeprefix("ERROR_REASON_")
        return Result(reason=reason, message=answer.failure.message, invocation_id=answer.invocation_id)
    text = answer.output_json if kind == "output_json" else json_format.MessageToJson(answer.output)
    return Result(json.loads(text), invocation_id=answer.invocation_id)


def refused(error: grpc.Call) -> Result:
    """Reads a status; it must have exactly one ErrorInfo."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()}: {error.details()} has no reason"
    (info,) = unpacked(status, details.ErrorInfo)
    assert info.domain == "toolcell.dev"
    return Result(
        reason=info.reason,
        is_refusal=True,
        message=error.details() or "",
        fields=tuple(v.field for bad in unpacked(status, details.BadRequest) for v in bad.field_violations),
        metadata=dict(info.metadata),
        invocation_id=str(dict(error.trailing_metadata() or ()).get("toolcell-invocation-id", "")),
    )


def unpacked(status: Any, kind: Any) -> list[Any]:
    """Returns the details of one kind."""
    return [kind.FromString(packed.value) for packed in status.details if packed.Is(kind.DESCRIPTOR)]
