"""The .proto files that some tools stand in, with no more of the workspace than those tools need.

Whoever may call a part of the tools may read the contracts of that part: methods of other tools, and messages
that only they use, are cut out together with their comments. A file keeps its name, package, imports and
extensions.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from toolcell.contracts.definitions import Definitions
from toolcell.contracts.fields import messages_within
from toolcell.contracts.snapshot import Entry
from toolcell.contracts.sources import RESERVED

_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6  # fields of FileDescriptorProto
_METHODS: Final = 2  # of ServiceDescriptorProto


def whole(entries: Iterable[Entry]) -> dict[str, FileDescriptorProto]:
    """Returns the files of tools and everything they import, by name, as they were compiled."""
    files: dict[str, FileDescriptorProto] = {}
    for definitions, method in _methods(entries):
        _collect(definitions, method.containing_service.file.name, files)
    return files


def excerpt(entries: Collection[Entry]) -> dict[str, FileDescriptorProto]:
    """Returns the same files without what belongs to other tools. They are not those of the contracts."""
    methods: set[str] = set()
    types: set[str] = set()
    for definitions, method in _methods(entries):
        methods.add(method.full_name)
        for message in (method.input_type, method.output_type):
            types |= _within(message)
        for file in _closure(definitions, method.containing_service.file.name):
            types |= _extending(definitions, file)
    return {
        name: file if _is_public(file) else _Cut(file, methods, types).made
        for name, file in whole(entries).items()
    }


def _methods(entries: Iterable[Entry]) -> Iterator[tuple[Definitions, MethodDescriptor]]:
    """Yields the methods of the tools whose contract is known."""
    for entry in entries:
        service, _, name = entry.tool.path.lstrip("/").rpartition("/")
        definitions = entry.contract.definitions
        try:
            yield definitions, definitions.pool.FindServiceByName(service).methods_by_name[name]
        except KeyError:
            continue  # its contract does not compile


def _collect(definitions: Definitions, name: str, into: dict[str, FileDescriptorProto]) -> None:
    for file in _closure(definitions, name):
        into.setdefault(file.name, file)


def _closure(definitions: Definitions, name: str) -> Iterator[FileDescriptorProto]:
    """Yields a file and what it imports, directly or not."""
    waiting, seen = [name], {name}
    while waiting:
        file = definitions.files[waiting.pop()]
        yield file
        new = [imported for imported in file.dependency if imported not in seen]
        seen.update(new)
        waiting += new


def _within(message: Any) -> set[str]:
    """Returns the full names of the top-level types that a message needs."""
    found = messages_within(message).values()
    enums = (field.enum_type for each in found for field in each.fields if field.enum_type is not None)
    return {_outermost(each).full_name for each in (*found, *enums)}


def _outermost(descriptor: Any) -> Any:
    while descriptor.containing_type is not None:
        descriptor = descriptor.containing_type
    return descriptor


def _extending(definitions: Definitions, file: FileDescriptorProto) -> set[str]:
    """Returns the types that the extensions of a file need: options may be written with them."""
    extensions = definitions.file(file.name).extensions_by_name.values()
    types: set[str] = set()
    for extension in extensions:
        if extension.message_type is not None:
            types |= _within(extension.message_type)
        if extension.enum_type is not None:
            types.add(_outermost(extension.enum_type).full_name)
    return types


def _is_public(file: FileDescriptorProto) -> bool:
    return file.package.partition(".")[0] in RESERVED


class _Cut:
    """Copies a file without some of its methods and types; places in the source info follow."""

    def __init__(self, file: FileDescriptorProto, methods: Collection[str], types: Collection[str]) -> None:
        self.made = FileDescriptorProto()
        self.made.CopyFrom(file)
        self._package = f"{file.package}." if file.package else ""
        self._moved: dict[tuple[int, ...], int | None] = {}
        self._keep(self.made.message_type, (_MESSAGES,), self._package, types)
        self._keep(self.made.enum_type, (_ENUMS,), self._package, types)
        self._keep_services(methods)
        self._mend_source_info()

    def _keep_services(self, methods: Collection[str]) -> None:
        for at, service in enumerate(self.made.service):
            scope = f"{self._package}{service.name}."
            self._keep(service.method, (_SERVICES, at, _METHODS), scope, methods)
        filled = {f"{self._package}{service.name}" for service in self.made.service if service.method}
        self._keep(self.made.service, (_SERVICES,), self._package, filled)

    def _keep(self, parts: Any, path: tuple[int, ...], scope: str, names: Collection[str]) -> None:
        """Drops the parts that are not named, and notes where the others go."""
        kept = [part for part in parts if scope + part.name in names]
        moved = iter(range(len(kept)))
        for at, part in enumerate(parts):
            self._moved[*path, at] = next(moved) if scope + part.name in names else None
        if len(kept) != len(parts):
            copies = [type(part).FromString(part.SerializeToString()) for part in kept]
            del parts[:]
            parts.extend(copies)

    def _mend_source_info(self) -> None:
        locations = self.made.source_code_info.location
        kept = []
        for location in locations:
            path = self._mended(tuple(location.path))
            if path is not None:
                copy = type(location).FromString(location.SerializeToString())
                copy.path[:] = path
                kept.append(copy)
        del locations[:]
        locations.extend(kept)

    def _mended(self, path: tuple[int, ...]) -> list[int] | None:
        """Returns where a place is now, or None when it is gone."""
        mended = list(path)
        for length in range(2, len(path) + 1, 2):
            to = self._moved.get(path[:length], path[length - 1])
            if to is None:
                return None
            mended[length - 1] = to
        return mended
