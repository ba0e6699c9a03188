"""An append-only file beside the database: what is written here survives the death of the process.

A line is `<crc32 as 8 hex digits> <JSON [sequence, kind, row]>`; one that is torn or damaged fails its
checksum and is passed over. Lines are written at a remembered offset, so one that the disk cut short is
overwritten by the next. A file that is large enough is followed by another, and goes when all of it has been
drained. It is not fsynced: after a loss of power the last moments are gone, as promised for calls without a
key.

Everything here belongs to one thread, the event loop's.
"""

import contextlib
import errno
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from toolcell.model.errors import StoreFull, StoreUnavailable
from toolcell.store.rows import to_json

LIMIT_BYTES: Final = 64 << 20
"""How much may wait for the database before new calls are refused."""

_SEGMENT_BYTES: Final = 4 << 20
_RETRY_SECONDS: Final = 5.0
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Entry(NamedTuple):
    """One row on its way to the database; `size` is its line's, in bytes."""

    sequence: int
    kind: str
    row: Mapping[str, Any]
    size: int = 0


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    size: int = 0
    last: int = 0


class Spool:
    """Takes rows, keeps them on disk and in memory until they are `drained`."""

    def __init__(self, directory: Path, *, first: int, limit_bytes: int = LIMIT_BYTES) -> None:
        """Starts a new file for the sequence numbers from `first` on. Raises OSError."""
        self._directory = directory
        self._limit = limit_bytes
        self._waiting: deque[Entry] = deque()
        self._sealed: deque[_Segment] = deque()
        self._active = _create(directory, first)
        self._held: list[int] = []  # numbers of rows that no file has, oldest first
        self.waiting_bytes = 0
        self.last = self.drained_to = first - 1

    @property
    def is_full(self) -> bool:
        """Tells whether so much waits for the database that nothing new should begin."""
        return self.waiting_bytes >= self._limit

    def append(self, kind: str, row: Mapping[str, Any]) -> int:
        """Writes a row to the file and returns its sequence number, which no other row ever has.

        Raises StoreFull when the disk is full and StoreUnavailable when it fails; then nothing was kept.
        """
        sequence = self.last + 1
        line = _line(sequence, kind, row)
        if self._active.size >= _SEGMENT_BYTES:
            self._rotate(sequence)
        self._write(line)
        self._active.last = self.last = sequence
        self._keep(Entry(sequence, kind, row, len(line)))
        return sequence

    def hold(self, kind: str, row: Mapping[str, Any]) -> int:
        """Keeps a row for the database in memory only: what is left to do when the file takes nothing.

        Returns its sequence number.
        """
        self.last += 1
        self._held.append(self.last)
        self._keep(Entry(self.last, kind, row, len(_line(self.last, kind, row))))
        return self.last

    @property
    def settled(self) -> int:
        """The number up to which every row survives the death of the process: what others may be told of."""
        return self._held[0] - 1 if self._held else self.last

    def head(self, limit: int) -> list[Entry]:
        """Returns the oldest rows, at most `limit`, that have not been drained."""
        return list(islice(self._waiting, limit))

    def drained(self, sequence: int) -> None:
        """Forgets the rows up to `sequence`, and the files that hold nothing else."""
        while self._waiting and self._waiting[0].sequence <= sequence:
            self.waiting_bytes -= self._waiting.popleft().size
        self.drained_to = sequence
        while self._held and self._held[0] <= sequence:
            del self._held[0]
        while self._sealed and self._sealed[0].last <= sequence:
            _remove(self._sealed.popleft())

    @property
    def is_drained(self) -> bool:
        """Tells whether nothing waits."""
        return not self._waiting

    def close(self) -> None:
        """Closes the files; those whose rows have all been drained are removed."""
        for segment in (*self._sealed, self._active):
            if self.is_drained:
                _remove(segment)
            else:
                os.close(segment.descriptor)
            segment.descriptor = -1  # a late write fails, and does not go where the number is used next

    def _keep(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self.waiting_bytes += entry.size

    def _write(self, line: bytes) -> None:
        segment = self._active
        done = 0
        try:
            while done < len(line):
                done += os.pwrite(segment.descriptor, line[done:] if done else line, segment.size + done)
        except OSError as error:
            _refuse(error, segment.path)
        segment.size += done

    def _rotate(self, first: int) -> None:
        try:
            segment = _create(self._directory, first)
        except OSError:
            return  # the present file serves until there is room for another
        self._sealed.append(self._active)
        self._active = segment


def recover(directory: Path) -> Iterator[Entry]:
    """Reads the rows that an earlier process left, in order. Raises OSError."""
    for path in _segments(directory):
        for line in path.read_bytes().split(b"\n"):
            entry = _entry(line)
            if entry is not None:
                yield entry


def discard(directory: Path) -> None:
    """Removes the files that `recover` read. Raises OSError."""
    for path in _segments(directory):
        path.unlink()


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("spool-*.jsonl"))


def _create(directory: Path, first: int) -> _Segment:
    path = directory / f"spool-{first:019d}.jsonl"
    return _Segment(path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _remove(segment: _Segment) -> None:
    os.close(segment.descriptor)
    with contextlib.suppress(OSError):  # what is left is passed over when it is read again
        segment.path.unlink()


def _line(sequence: int, kind: str, row: Mapping[str, Any]) -> bytes:
    body = to_json([sequence, kind, row]).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _entry(line: bytes) -> Entry | None:
    checksum, _, body = line.partition(b" ")
    if not body or b"%08x" % zlib.crc32(body) != checksum:
        return None
    sequence, kind, row = json.loads(body)
    return Entry(sequence, kind, row, len(line))


def _refuse(error: OSError, path: Path) -> NoReturn:
    what = error.strerror or "the disk fails"
    if error.errno in _NO_ROOM:
        raise StoreFull(
            f"The spool cannot grow: {what}. Free space where {path.parent} lies.", retry_after=_RETRY_SECONDS
        ) from error
    raise StoreUnavailable(
        f"The spool cannot be written: {what}. Check the disk of {path.parent}.", retry_after=_RETRY_SECONDS
    ) from error
