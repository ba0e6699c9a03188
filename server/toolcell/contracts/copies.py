"""The server's own copies of handlers' directories, so that a revision stays what it was digested from.

A zygote reads its handler when it starts, and a cell reads data when it is called: both may be long after the
digest was made. What they read is therefore a copy, named by the digest of what was copied, and never written
again. A file that did not change is shared between a tool's copies.
"""

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.contracts.handlers import CHUNK, MOST_BYTES, HandlerInvalid, Part, mark, parts
from toolcell.model.tool import MIB

KEPT: Final = 4
"""Copies kept of each tool beside those in use: a call that waits may still need one."""

_SETTLED_NANOSECONDS: Final = 100_000_000  # a younger mark may not show the next change: clocks tick
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a directory; `files` holds each file's mark and digest, and no mark that is not sure."""

    directory: Path
    digest: bytes
    marks: Mapping[str, tuple[int, ...]]
    files: Mapping[str, tuple[tuple[int, ...], bytes]]


class Copies:
    """Every copy of a server, in a folder of its own, which begins empty. For one thread at a time."""

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._stale = self._home.with_name(f"{home.name}-stale")
        if self._home.exists():  # what the last server left; removing it takes time, moving it does not
            self._stale.mkdir(mode=0o700, exist_ok=True)
            self._home.rename(Path(tempfile.mkdtemp(dir=self._stale)) / home.name)
        self._home.mkdir(mode=0o700, parents=True)
        self._newest: dict[Path, Copy] = {}
        self._taken: dict[str, list[Path]] = {}

    def take(self, directory: Path) -> Copy:
        """Returns a copy of what the directory holds now. Raises HandlerInvalid and OSError."""
        before = self._newest.get(directory)
        listed = list(parts(directory))
        marks = {part.name: part.mark for part in listed}
        is_sure = before is not None and all(state for state, _ in before.files.values())
        if before is not None and is_sure and list(before.marks.items()) == list(marks.items()):
            return before
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self._home))
        try:
            files = {p.name: self._made(p, fresh, before) for p in listed}
            digest = _digest(listed, files)
            place = self._home / directory.name / digest.hex()[:16]
            if not place.exists():
                place.parent.mkdir(mode=0o700, exist_ok=True)
                fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        copy = Copy(place, digest, marks, {p.name: files[p.name] for p in listed if p.is_file})
        self._newest[directory] = copy
        self._note(directory.name, place)
        return copy

    def sweep(self) -> None:
        """Removes what earlier servers left."""
        shutil.rmtree(self._stale, ignore_errors=True)

    def tidy(self, in_use: Collection[Path]) -> None:
        """Removes copies that are neither in use nor among the newest of their tool."""
        needed = {*in_use, *(copy.directory for copy in self._newest.values())}
        for tool, taken in self._taken.items():
            for place in taken[:-KEPT]:
                if place not in needed:
                    shutil.rmtree(place, ignore_errors=True)
            self._taken[tool] = [p for p in taken[:-KEPT] if p in needed] + taken[-KEPT:]

    def _note(self, tool: str, place: Path) -> None:
        taken = self._taken.setdefault(tool, [])
        if place in taken:
            taken.remove(place)
        taken.append(place)

    def _made(self, part: Part, fresh: Path, before: Copy | None) -> tuple[tuple[int, ...], bytes]:
        """Makes one part anew, or shares it with the copy of before; returns its mark and digest."""
        target = fresh / part.name
        if part.target:
            target.symlink_to(part.target)
        elif not part.is_file:
            target.mkdir(mode=0o700)
        elif before is not None and (known := before.files.get(part.name)) and known[0] == part.mark:
            os.link(before.directory / part.name, target)
            return known
        else:
            return _copied(part, target)
        return (), b""


def _copied(part: Part, target: Path) -> tuple[tuple[int, ...], bytes]:
    """Copies a file and digests what was copied; a mark that may miss the next change is left out."""
    digest, size = hashlib.sha256(), 0
    with open(os.open(part.path, _READ), "rb") as source:  # noqa: PTH123 - flags that Path has not
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise HandlerInvalid("was replaced while it was read", part.name)
        with open(os.open(target, _WRITE, 0o400), "wb") as copy:  # noqa: PTH123 - likewise
            while chunk := source.read(CHUNK):
                if (size := size + len(chunk)) > MOST_BYTES:
                    raise HandlerInvalid(f"is larger than {MOST_BYTES // MIB} MiB", part.name)
                digest.update(chunk)
                copy.write(chunk)
        status = os.fstat(source.fileno())
    is_settled = status.st_ctime_ns < time.time_ns() - _SETTLED_NANOSECONDS
    return (part.mark if is_settled and mark(status) == part.mark else ()), digest.digest()


def _digest(listed: Collection[Part], files: Mapping[str, tuple[tuple[int, ...], bytes]]) -> bytes:
    whole = hashlib.sha256()
    for part in listed:
        whole.update(part.fingerprint(files[part.name][1]))
    return whole.digest()
