"""Everything one load knows of messages: the pool, comments, options, rules and shapes."""

import hashlib
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from toolcell.contracts.codec.shapes import Shapes
from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.comments import Comments
from toolcell.contracts.options import Options
from toolcell.contracts.rules import Rules


class Definitions:
    """A private pool of compiled files, and what is read from it.

    `files` are those it took, as the compiler gave them: with source info, which the pool forgets. `refused`
    says why it did not take a file.
    """

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self.pool = DescriptorPool()
        self.refused: dict[str, str] = {}
        self.files = {file.name: file for file in files if self._take(file)}
        self.comments = Comments(self.files.values())
        self.options = Options(self.pool)
        self.rules = Rules(self.options)
        self.shapes = {direction: Shapes(self.options, direction) for direction in Direction}
        self._digests: dict[str, str] = {}

    def file(self, name: str) -> FileDescriptor:
        """Returns a file that was taken."""
        return self.pool.FindFileByName(name)

    def digest(self, name: str) -> str:
        """Digests a file, its comments and everything it imports; lines may move without changing it."""
        if name not in self._digests:
            file = self.file(name)
            digest = hashlib.sha256(file.serialized_pb)
            for path, comment in self.comments.said(name):
                digest.update(f"{path}\0{comment}\0".encode())
            for imported in file.dependencies:
                digest.update(self.digest(imported.name).encode())
            self._digests[name] = digest.hexdigest()
        return self._digests[name]

    def _take(self, file: FileDescriptorProto) -> bool:
        """Adds a file to the pool, whose rules are stricter than protoc's in places."""
        missing = [name for name in file.dependency if name in self.refused]
        wrong: Any = f"imports {missing[0]}, which cannot be used" if missing else None
        if not missing:
            try:
                self.pool.AddSerializedFile(file.SerializeToString())
            except TypeError as error:
                wrong = f"cannot be used: {error}"
        if wrong is not None:
            self.refused[file.name] = wrong
        return wrong is None
