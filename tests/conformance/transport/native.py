"""The tools' own methods, called with messages that the contract's own compiler made."""

import functools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_tools import protoc

from tests.conformance.transport.doors import Metadata, Result, Site, result
from tests.conformance.transport.workspace import GOOD
from toolcell.contracts import bundled

SERVICE = "/doors.v1.DoorService"


@functools.cache
def item() -> type[Message]:
    """Compiles the good contract as any client would, without the server's help, and returns its message."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "good.proto").write_text(GOOD)
        made = Path(folder) / "set"
        arguments = [*bundled.includes(), f"-I{folder}", "--include_imports", f"-o{made}", "good.proto"]
        assert protoc.main(["protoc", *arguments]) == 0
        files = FileDescriptorSet.FromString(made.read_bytes()).file
    pool = DescriptorPool()
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("doors.v1.Item"))


def path(tool: str) -> str:
    """Returns the path of a tool of the good service."""
    return f"{SERVICE}/{tool.title().replace('_', '')}"


def raw(site: Site, where: str, body: bytes, *more: tuple[str, str], bearer: str | None = None) -> Any:
    """Calls a path with bytes; returns the answer's bytes and its trailing metadata."""
    metadata: Metadata = (*site.metadata(bearer), *more)
    call: Any = site.channel.unary_unary(where)
    answer, done = call.with_call(body, metadata=metadata)
    return answer, dict(done.trailing_metadata() or ())


def native(site: Site, tool: str, arguments: Any) -> Result:
    """Calls a tool's own method with JSON data that its message can hold."""
    body = json_format.ParseDict(arguments, item()()).SerializeToString()
    told = result(lambda: raw(site, path(tool), body))
    if told.output is None:
        return told
    answer, trailers = told.output
    output = json_format.MessageToDict(
        item().FromString(answer), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return Result(output, invocation_id=trailers["toolcell-invocation-id"])
