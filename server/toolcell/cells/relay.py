"""Passes what a cell says on as events of its call, bounded."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from toolcell.model.span import EventKind
from toolcell.wire.frames import Frame

Emit = Callable[[EventKind, Mapping[str, Any]], None]

EVENT_LIMIT: Final = 1000
BYTE_LIMIT: Final = 256 * 1024
LINE_LIMIT: Final = 8 * 1024


class Relay:
    """Emits at most 1,000 events and 256 KiB for one call; then counts, and tells the count at the end."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._events = 0
        self._bytes = 0
        self._dropped = 0
        self._lines = {kind: Lines() for kind in (EventKind.STDOUT, EventKind.STDERR)}

    def output(self, kind: EventKind, data: bytes) -> None:
        """Takes bytes from stdout or stderr and emits each line they complete."""
        for line in self._lines[kind].feed(data):
            self._pass(kind, {"text": line}, len(line))

    def said(self, frame: Frame) -> None:
        """Takes a log or progress frame."""
        body = {name: _cut(value) for name, value in frame.fields.items()}
        self._pass(EventKind(frame.kind), body, min(frame.size, 2 * LINE_LIMIT))

    def tell(self, kind: EventKind, body: Mapping[str, Any]) -> None:
        """Emits what must not be lost, whatever came before: an exception or a violation."""
        self._emit(kind, body)

    def end(self, dropped_by_cell: int = 0) -> None:
        """Emits lines without an end, then how many events were left out, if any were."""
        for kind, lines in self._lines.items():
            for line in lines.end():
                self._pass(kind, {"text": line}, len(line))
        if dropped := self._dropped + dropped_by_cell:
            self._emit(EventKind.TRUNCATED, {"dropped": dropped})

    def _pass(self, kind: EventKind, body: Mapping[str, Any], size: int) -> None:
        if self._events >= EVENT_LIMIT or self._bytes + size > BYTE_LIMIT:
            self._dropped += 1
            return
        self._events += 1
        self._bytes += size
        self._emit(kind, body)


class Lines:
    """Cuts a stream of bytes into lines of at most 8 KiB; what a longer line has beyond that is left out."""

    def __init__(self) -> None:
        self._part = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Takes bytes and returns the lines they complete; bytes that are not UTF-8 become U+FFFD."""
        *whole, rest = data.split(b"\n")
        lines = []
        for line in whole:
            self._keep(line)
            lines += self._take()
        self._keep(rest)
        return lines

    def end(self) -> list[str]:
        """Returns the last line if it lacks its newline."""
        return self._take() if self._part else []

    def _keep(self, data: bytes) -> None:
        self._part += data[: LINE_LIMIT - len(self._part)]

    def _take(self) -> list[str]:
        line = self._part.decode(errors="replace")
        self._part.clear()
        return [line]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LINE_LIMIT]
    if isinstance(value, dict) and len(json.dumps(value, ensure_ascii=False).encode()) > LINE_LIMIT:
        return {}
    return value
