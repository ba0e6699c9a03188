"""The .proto files of a workspace: found, bounded and digested before anything else looks at them."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.model.tool import MIB

MOST_FILES: Final = 2000
MOST_BYTES: Final = MIB  # of one file
VENDOR: Final = "vendor"
_NOT_CONTRACTS: Final = (f"{VENDOR}/", "toolcell/v1/")  # written by others; Toolcell's own
_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE: Final = re.compile(r"(?:^|[;}])\s*package\s+(?:toolcell|grpc|google|buf)\s*[.;]", re.MULTILINE)
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
RESERVED: Final = frozenset({"toolcell", "grpc", "google", "buf"})


@dataclass(frozen=True, slots=True)
class Broken:
    """A .proto file that is not part of the workspace's contracts, and why.

    Line and column are 0 for the whole file.
    """

    file: str
    message: str
    remedy: str
    line: int = 0
    column: int = 0

    @property
    def where(self) -> str:
        """The place, as `file:line:column` or the file; the file is relative to the protos root."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Sources:
    """What a workspace's protos root holds.

    The contracts' names, and a digest of every byte protoc may read there.
    """

    root: Path
    names: tuple[str, ...]
    refused: tuple[Broken, ...]
    digest: str


def read(root: Path) -> Sources:
    """Finds the contracts under a root: every .proto outside `vendor/` and `toolcell/v1/`, at most 2,000.

    Files that are too large, unreadable, too many, or of a reserved package are refused, each with a reason.
    """
    names: list[str] = []
    refused: list[Broken] = []
    digest = hashlib.sha256()
    for name in _found(root):
        wrong, content = _examine(root / name)
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        if name.startswith(_NOT_CONTRACTS):
            continue
        if wrong is None and len(names) >= MOST_FILES:
            wrong = (
                f"is one file too many: at most {MOST_FILES} contracts are loaded",
                "Merge or remove some.",
            )
        if wrong is None:
            names.append(name)
        else:
            refused.append(Broken(name, *wrong))
    return Sources(root, tuple(names), tuple(refused), digest.hexdigest())


def reserved(package: str) -> tuple[str, str]:
    """Says why a contract may not be of a package, and what to do."""
    return (
        f"the package {package} is reserved: toolcell, grpc, google and buf are not for users' contracts",
        f"Rename the package, or move the file to {VENDOR}/ when it is only there to be imported.",
    )


def _found(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(folder).relative_to(root)
        wanted = sorted(name for name in files if name.endswith(".proto") and not name.startswith("."))
        yield from ((relative / name).as_posix() for name in wanted)


def _examine(path: Path) -> tuple[tuple[str, str] | None, bytes]:
    """Returns what is wrong with a file before it is compiled, or None, and its bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return (f"cannot be read: {error.strerror}", "Give the server the right to read it."), b""
    if len(content) > MOST_BYTES:
        return (f"is larger than {MOST_BYTES} bytes", "Split it."), content
    text = _COMMENT.sub(" ", content.decode("utf-8", "replace"))
    if match := _PACKAGE.search(text):
        return reserved(match[0].rpartition("package")[2].strip(" \t\n.;")), content
    return None, content


def tools_named(path: Path) -> frozenset[str] | None:
    """Returns names of tools that a file which does not compile seems to declare; None when it does not say.

    It says nothing where it cannot be read, not as a whole, or shows no declaration, or a service without
    methods.
    """
    content = _examine(path)[1]
    text = _COMMENT.sub(" ", content.decode("utf-8", "replace"))
    methods = [snake_case(method) for method in re.findall(r"\brpc\s+(\w+)", text)]
    kinds = set(re.findall(r"\b(message|enum|extend|service)\s+\w", text))
    if len(content) > MOST_BYTES or not kinds or ("service" in kinds and not methods):
        return None
    return frozenset([*methods, *re.findall(r'\bname\s*:\s*"([\w-]+)"', text)])


def snake_case(method: str) -> str:
    """Returns a method's name as a tool's: GetHTTPStatus becomes get_http_status."""
    return _WORDS.sub("_", method).lower()
