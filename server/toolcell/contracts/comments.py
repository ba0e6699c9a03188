"""What authors wrote beside their definitions.

A descriptor pool forgets it, the compiler's source info has it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto

_INTERNAL: Final = re.compile(r"\(--.*?--\)", re.DOTALL)  # AIP-192: not for users
_TOOLS: Final = re.compile(r"(buf:lint:|protolint:|@exclude|@ignore-comment|jsonschema:)")
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6  # fields of FileDescriptorProto
_FIELD, _NESTED, _NESTED_ENUM, _ONEOF = 2, 3, 4, 8  # of DescriptorProto
_METHOD, _VALUE = 2, 2  # of ServiceDescriptorProto, EnumDescriptorProto

Path = tuple[int, ...]


class Comments:
    """Finds comments by full name, reading a file's source info when one of its names is first asked for.

    What protobuf says of its own well-known types is for programmers and left out.
    """

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._files = {file.name: file for file in files if file.package != "google.protobuf"}
        self._read: dict[str, dict[str, str]] = {}

    def of(self, descriptor: Any) -> str:
        """Returns the comment above (else behind) a message, field, oneof, enum or enum value, or ""."""
        return self._file(_file_of(descriptor)).get(_name_of(descriptor), "")

    def of_method(self, method: Any) -> str:
        """Returns the comment of a service's method, or ""."""
        return self._file(method.containing_service.file.name).get(method.full_name, "")

    def place(self, method: Any) -> str:
        """Returns where a method stands: `file:line:column`, as protoc counts."""
        service = method.containing_service
        path = [_SERVICE, service.index, _METHOD, method.index]
        for location in self._files[service.file.name].source_code_info.location:
            if list(location.path) == path:
                return f"{service.file.name}:{location.span[0] + 1}:{location.span[1] + 1}"
        return str(service.file.name)

    def said(self, file: str) -> Iterator[tuple[Path, str]]:
        """Yields every comment of a file with the path of what it stands beside."""
        for location in self._files[file].source_code_info.location if file in self._files else ():
            if comment := location.leading_comments or location.trailing_comments:
                yield tuple(location.path), comment

    def _file(self, name: str) -> dict[str, str]:
        if name not in self._read:
            texts = {path: text for path, comment in self.said(name) if (text := _clean(comment))}
            named = _names(self._files[name]) if texts else ()
            self._read[name] = {full_name: texts[path] for path, full_name in named if path in texts}
        return self._read[name]


def _file_of(descriptor: Any) -> str:
    owner = getattr(descriptor, "containing_type", None)
    if owner is None and not hasattr(descriptor, "file"):
        owner = descriptor.type  # an enum value knows its enum only
    return str((owner or descriptor).file.name)


def _name_of(descriptor: Any) -> str:
    name = getattr(descriptor, "full_name", None)
    return name if name is not None else f"{descriptor.type.full_name}.{descriptor.name}"


def _names(file: FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    package = f"{file.package}." if file.package else ""
    for at, message in enumerate(file.message_type):
        yield from _message(message, (_MESSAGE, at), package)
    for at, enum in enumerate(file.enum_type):
        yield from _enum(enum, (_ENUM, at), package)
    for at, service in enumerate(file.service):
        for nth, method in enumerate(service.method):
            yield (_SERVICE, at, _METHOD, nth), f"{package}{service.name}.{method.name}"


def _message(message: Any, path: Path, scope: str) -> Iterator[tuple[Path, str]]:
    name = scope + message.name
    yield path, name
    for number, parts in ((_FIELD, message.field), (_ONEOF, message.oneof_decl)):
        yield from (((*path, number, at), f"{name}.{part.name}") for at, part in enumerate(parts))
    for at, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, _NESTED_ENUM, at), f"{name}.")
    for at, nested in enumerate(message.nested_type):
        yield from _message(nested, (*path, _NESTED, at), f"{name}.")


def _enum(enum: Any, path: Path, scope: str) -> Iterator[tuple[Path, str]]:
    name = scope + enum.name
    yield path, name
    yield from (((*path, _VALUE, at), f"{name}.{value.name}") for at, value in enumerate(enum.value))


def _clean(comment: str) -> str:
    lines = (line.strip() for line in _INTERNAL.sub("", comment).strip().splitlines())
    return "\n".join(line for line in lines if not _TOOLS.match(line)).strip()
