"""Which file defines what: the look-ups of server reflection over a set of files."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto


class Index:
    """Finds files by name, by symbol and by extension; its answers are file names and serialised files."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._files = {file.name: file for file in files}
        self._bytes: dict[str, bytes] = {}
        self._symbols: dict[str, str] = {}
        self._extensions: dict[str, dict[int, str]] = {}
        for file in self._files.values():
            self._add(file)
        self.services = sorted(
            f"{file.package}.{service.name}".lstrip(".")
            for file in self._files.values()
            for service in file.service
        )

    def file_named(self, name: str) -> str | None:
        """Returns the name when there is such a file."""
        return name if name in self._files else None

    def file_of(self, symbol: str) -> str | None:
        """Returns the file that defines a message, field, enum, value, service, method or extension."""
        return self._symbols.get(symbol.removeprefix("."))

    def file_extending(self, message: str, number: int) -> str | None:
        """Returns the file that defines an extension."""
        return self._extensions.get(message.removeprefix("."), {}).get(number)

    def extension_numbers(self, message: str) -> list[int] | None:
        """Returns the numbers of a message's extensions, None when there is no such message."""
        message = message.removeprefix(".")
        return sorted(self._extensions.get(message, ())) if message in self._symbols else None

    def files(self, name: str, sent: set[str]) -> Iterator[bytes]:
        """Yields a file, and what it imports unless that was sent; notes what it yields as sent."""
        waiting = [name]
        sent.discard(name)  # whoever asks for a file again gets it again
        while waiting:
            name = waiting.pop()
            file = self._files.get(name)
            if file is None or name in sent:
                continue
            sent.add(name)
            yield self._serialised(file)
            waiting += file.dependency

    def _serialised(self, file: FileDescriptorProto) -> bytes:
        if file.name not in self._bytes:
            self._bytes[file.name] = file.SerializeToString()
        return self._bytes[file.name]

    def _add(self, file: FileDescriptorProto) -> None:
        scope = f"{file.package}." if file.package else ""
        for name in _names(file, scope):
            self._symbols[name] = file.name
        for extension in _extensions(file):
            self._extensions_of(extension.extendee)[extension.number] = file.name

    def _extensions_of(self, message: str) -> dict[int, str]:
        return self._extensions.setdefault(message.removeprefix("."), {})


def _names(file: FileDescriptorProto, scope: str) -> Iterator[str]:
    for message in file.message_type:
        yield from _message_names(message, scope)
    for enum in file.enum_type:
        yield from _enum_names(enum, scope)
    for service in file.service:
        yield f"{scope}{service.name}"
        for method in service.method:
            yield f"{scope}{service.name}.{method.name}"
    for extension in file.extension:
        yield f"{scope}{extension.name}"


def _message_names(message: Any, scope: str) -> Iterator[str]:
    name = f"{scope}{message.name}"
    yield name
    for part in (*message.field, *message.oneof_decl, *message.extension):
        yield f"{name}.{part.name}"
    for nested in message.nested_type:
        yield from _message_names(nested, f"{name}.")
    for enum in message.enum_type:
        yield from _enum_names(enum, f"{name}.")


def _enum_names(enum: Any, scope: str) -> Iterator[str]:
    yield f"{scope}{enum.name}"
    for value in enum.value:
        yield f"{scope}{value.name}"  # a value's scope is the enum's own


def _extensions(file: Any) -> Iterator[Any]:
    yield from file.extension
    waiting = list(file.message_type)
    while waiting:
        message = waiting.pop()
        yield from message.extension
        waiting += message.nested_type
