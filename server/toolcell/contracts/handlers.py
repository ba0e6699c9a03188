"""`handlers/<tool>/`: the author's code and data, found, bounded and digested."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.model.tool import MIB

MOST_BYTES: Final = 64 * MIB
MOST_FILES: Final = 10_000
CHUNK: Final = 1 << 20
_SCRAP: Final = re.compile(  # what interpreters, version control and editors leave beside the files
    r"__pycache__|\.git|\.DS_Store|\.#.*|#.*#|.*~|\..*\.sw[a-px]|4913|.*___jb_(tmp|old)___"
)


class HandlerInvalid(Exception):  # noqa: N818 - a state of the directory
    """A handler's directory cannot be used as it is; `where` is relative to the directory."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a handler's directory, a link or a folder: its place there, relative and whole.

    `target` is where a link leads, relative to it; `mark` changes when a file does.
    """

    name: str
    path: Path
    is_file: bool = False
    target: str = ""
    mark: tuple[int, ...] = ()

    def fingerprint(self, content: bytes = b"") -> bytes:
        """Returns what a directory's digest holds of this part; `content` is a file's own digest."""
        kind = "" if self.is_file else f"->{self.target}" if self.target else "/"
        return f"{self.name}\0{kind}\0".encode(errors="surrogateescape") + content


def is_scrap(name: str) -> bool:
    """Tells whether a file's or folder's name says that it is no part of a tool: caches, swap files."""
    return _SCRAP.fullmatch(name) is not None


def found(root: Path) -> dict[str, Path]:
    """Returns every tool's directory by its name, save hidden ones and those that begin with `_`."""
    try:
        places = sorted(root.iterdir())
    except OSError:
        return {}
    return {p.name: p.resolve() for p in places if p.is_dir() and not p.name.startswith((".", "_"))}


def parts(directory: Path) -> Iterator[Part]:
    """Yields folders, links and files in a fixed order; other kinds of file are not looked at.

    Raises HandlerInvalid for a link that leaves the directory, and for too much.
    """
    total = seen = 0
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not is_scrap(name))
        for name in (*folders, *sorted(name for name in files if not is_scrap(name))):
            path = Path(folder) / name
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                total += status.st_size
            seen += 1
            if total > MOST_BYTES or seen > MOST_FILES:
                raise HandlerInvalid(f"holds more than {MOST_BYTES // MIB} MiB or {MOST_FILES} files")
            if part := _part(path, directory, status):
                yield part


def digest(directory: Path) -> bytes:
    """Digests names and content of every part; raises HandlerInvalid and OSError."""
    whole = hashlib.sha256()
    for part in parts(directory):
        whole.update(part.fingerprint(_content(part.path) if part.is_file else b""))
    return whole.digest()


def mark(status: os.stat_result) -> tuple[int, ...]:
    """Returns what is different for a file that was changed or replaced."""
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def entry_file(directory: Path, entry: str) -> Path | None:
    """Returns the file of an entry's module, or None when it is not in the directory."""
    module = directory.joinpath(*entry.partition(":")[0].split("."))
    for path in (module.with_name(f"{module.name}.py"), module / "__init__.py"):
        if path.is_file():
            return path
    return None


def _part(path: Path, directory: Path, status: os.stat_result) -> Part | None:
    name = path.relative_to(directory).as_posix()
    if stat.S_ISLNK(status.st_mode):
        _check_inside(path, directory)
        target = os.path.relpath(os.path.realpath(path), os.path.realpath(path.parent))
        return Part(name, path, target=target)
    if stat.S_ISREG(status.st_mode):
        return Part(name, path, is_file=True, mark=mark(status))
    return Part(name, path) if stat.S_ISDIR(status.st_mode) else None


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check_inside(path: Path, directory: Path) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        where = path.relative_to(directory).as_posix()
        raise HandlerInvalid("is a link that leaves the tool's directory", where)
