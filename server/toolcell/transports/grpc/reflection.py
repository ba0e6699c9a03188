"""Server reflection, v1 and v1alpha: what is served, contracts of the tools included, as of one snapshot.

The two versions are the same messages under two package names, so one servicer answers both. A stream keeps
the snapshot it began with: what it hears is consistent, and the next one hears what a reload changed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2 as pb

from toolcell.contracts.catalog import Entry, Snapshot
from toolcell.contracts.excerpt import excerpt, whole
from toolcell.transports.grpc import requests
from toolcell.transports.grpc.doors import Doors, Handler, guarded, next_message
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.sight import Sight
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.symbols import Index
from toolcell.transports.grpc.traffic import Traffic

SERVICES: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_ALPHA: Final = "grpc.reflection.v1alpha"
_STABLE: Final = "grpc.reflection.v1"
_STREAMS: Final = 64
_INDEXES: Final = 16
_IDLE_SECONDS: Final = 60.0
_NOT_FOUND: Final = 5

Key = tuple[str, ...] | None
"""The names of the tools that are shown, or None for all of them."""


class Reflection:
    """Answers both versions' ServerReflectionInfo."""

    def __init__(self, services: Services, sight: Sight) -> None:
        self._catalog = services.catalog
        self._sight = sight
        self._log = services.log
        self._own: tuple[FileDescriptorProto, ...] = ()
        self._indexes: tuple[Snapshot, OrderedDict[Key, Index]] = (Snapshot(), OrderedDict())

    def serve(self, doors: Doors) -> None:
        """Adds both paths to the table."""
        handler: Handler = grpc.stream_stream_rpc_method_handler(
            guarded(self._answer, Traffic(_STREAMS, "streams of reflection"), self._log)
        )
        for service in SERVICES:
            doors.add(f"/{service}/ServerReflectionInfo", handler)

    def begin(self, own: Iterable[str]) -> None:
        """Takes the names of the server's own services, which everybody may see."""
        self._own = tuple(_own_files(own))

    async def _answer(self, context: Context) -> bytes:
        """Writes an answer to each request of the stream, until it ends."""
        index = await self._index(context)
        sent: set[str] = set()
        while (body := await next_message(context, _IDLE_SECONDS)) is not None:
            request = requests.decode(pb.ServerReflectionRequest, body)
            await context.write(respond(index, request, sent).SerializeToString())
        return b""

    async def _index(self, context: Context) -> Index:
        """Returns what this caller may see; made once for everybody who may see the same."""
        grants = self._sight.grants(context)
        snapshot, made = self._indexes
        if snapshot is not self._catalog.snapshot:
            snapshot, made = self._catalog.snapshot, OrderedDict()
            self._indexes = (snapshot, made)
        names = tuple(name for name in snapshot.entries if grants.includes(name))
        key = None if len(names) == len(snapshot.entries) else names
        if key not in made:
            entries = [snapshot.entries[name] for name in names]
            made[key] = await asyncio.to_thread(build, self._own, entries, is_whole=key is None)
        made.move_to_end(key)
        if len(made) > _INDEXES:
            made.popitem(last=False)
        return made[key]


def build(own_files: Iterable[FileDescriptorProto], entries: list[Entry], *, is_whole: bool) -> Index:
    """Makes the index of the server's own services and of some tools', or of all of them."""
    own = {file.name: file for file in own_files}
    shown = whole(entries) if is_whole else excerpt(entries)
    # a contract may bring its copy of what all know, with comments, and may not replace what is ours
    fit = {name: file for name, file in shown.items() if name not in own or own[name].package == file.package}
    return Index((own | fit).values())


def respond(index: Index, request: pb.ServerReflectionRequest, sent: set[str]) -> pb.ServerReflectionResponse:
    """Answers one request of a stream; `sent` are the files it has had already."""
    answer = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
    kind = request.WhichOneof("message_request")
    if kind == "list_services":
        answer.list_services_response.service.extend(pb.ServiceResponse(name=name) for name in index.services)
        return answer
    if kind == "all_extension_numbers_of_type":
        numbers = index.extension_numbers(request.all_extension_numbers_of_type)
        if numbers is not None:
            answer.all_extension_numbers_response.base_type_name = request.all_extension_numbers_of_type
            answer.all_extension_numbers_response.extension_number.extend(numbers)
            return answer
    elif (name := _file(index, request)) is not None:
        files = list(index.files(name, sent))
        answer.file_descriptor_response.file_descriptor_proto.extend(files)
        return answer
    answer.error_response.error_code = _NOT_FOUND
    answer.error_response.error_message = "Nothing of this name is served, or not to this token."
    return answer


def _file(index: Index, request: pb.ServerReflectionRequest) -> str | None:
    match request.WhichOneof("message_request"):
        case "file_by_filename":
            return index.file_named(request.file_by_filename)
        case "file_containing_symbol":
            return index.file_of(request.file_containing_symbol)
        case "file_containing_extension":
            wanted = request.file_containing_extension
            return index.file_extending(wanted.containing_type, wanted.extension_number)
    return None


def _own_files(services: Iterable[str]) -> Iterator[FileDescriptorProto]:
    """Yields the files of the server's own services, of the details in its statuses, and what they import."""
    pool = descriptor_pool.Default()
    waiting = [pool.FindFileContainingSymbol(name) for name in services if name != SERVICES[0]]
    waiting.append(error_details_pb2.DESCRIPTOR)
    seen: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file.name in seen:
            continue
        seen.add(file.name)
        waiting += file.dependencies
        made = FileDescriptorProto.FromString(file.serialized_pb)
        for message in made.message_type:
            _name_json(message, file.message_types_by_name[message.name])
        yield made
        if file.name == pb.DESCRIPTOR.name:
            yield _stable(made)


def _name_json(message: DescriptorProto, descriptor: Descriptor) -> None:
    """Fills in the fields' JSON names, which generated Python leaves out and clients print by."""
    for field in message.field:
        field.json_name = descriptor.fields_by_name[field.name].json_name
    for nested in message.nested_type:
        _name_json(nested, descriptor.nested_types_by_name[nested.name])


def _stable(alpha: FileDescriptorProto) -> FileDescriptorProto:
    """Makes version v1 of the reflection's own file: the same messages in another package."""
    file = FileDescriptorProto.FromString(alpha.SerializeToString())
    file.name, file.package = "grpc/reflection/v1/reflection.proto", _STABLE
    for field in (field for message in file.message_type for field in message.field):
        if field.type_name:
            field.type_name = field.type_name.replace(f".{_ALPHA}.", f".{_STABLE}.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
        method.output_type = method.output_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
    file.ClearField("options")
    return file
