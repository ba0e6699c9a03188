"""`handlers/<tool>/`: the author's code and data, found, bounded and digested."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from toolcell.model.tool import MIB

MOST_BYTES: Final = 64 * MIB
MOST_FILES: Final = 10_000
_CHUNK: Final = 1 << 20
_SKIPPED: Final = frozenset({"__pycache__", ".git"})


class HandlerInvalid(Exception):  # noqa: N818 - a state of the directory
    """A handler's directory cannot be used as it is; `where` is relative to the directory."""

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message)
        self.where = where


class Handlers:
    """Finds the directories of tools, and digests them without reading again what did not change."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, tuple[tuple[int, ...], bytes]] = {}

    def found(self) -> dict[str, Path]:
        """Returns every directory by its name, save hidden ones and those that begin with an underscore."""
        try:
            places = sorted(self._root.iterdir())
        except OSError:
            return {}
        return {p.name: p.resolve() for p in places if p.is_dir() and not p.name.startswith((".", "_"))}

    def digest(self, directory: Path) -> bytes:
        """Digests names and content of every file.

        Raises HandlerInvalid for links that leave, or for too much.
        """
        total, seen = 0, 0
        digest = hashlib.sha256()
        for path in _files(directory):
            name = path.relative_to(directory).as_posix()
            status = path.stat()
            total, seen = total + status.st_size, seen + 1
            if total > MOST_BYTES or seen > MOST_FILES:
                raise HandlerInvalid(f"holds more than {MOST_BYTES // MIB} MiB or {MOST_FILES} files")
            digest.update(f"{name}\0".encode(errors="surrogateescape") + self._file(path, status))
        return digest.digest()

    def _file(self, path: Path, status: os.stat_result) -> bytes:
        mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._digests.get(str(path))
        if known is not None and known[0] == mark:
            return known[1]
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        self._digests[str(path)] = (mark, digest.digest())
        return digest.digest()


def entry_file(directory: Path, entry: str) -> Path | None:
    """Returns the file of an entry's module, or None when it is not in the directory.

    Raises HandlerInvalid for a link.
    """
    module = directory.joinpath(*entry.partition(":")[0].split("."))
    for path in (module.with_name(f"{module.name}.py"), module / "__init__.py"):
        if path.is_file():
            _check_inside(path, directory)
            return path
    return None


def _files(directory: Path) -> Iterator[Path]:
    """Yields regular files in a fixed order.

    A link must stay inside, and other kinds of file are not looked at.
    """
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in (*folders, *sorted(files)):
            path = Path(folder) / name
            if path.is_symlink():
                _check_inside(path, directory)
            if path.is_file():
                yield path


def _check_inside(path: Path, directory: Path) -> None:
    if not path.resolve().is_relative_to(directory.resolve()):
        where = path.relative_to(directory).as_posix()
        raise HandlerInvalid("is a link that leaves the tool's directory", where)
