"""The pipes a cell prints into: read while it runs, so that printing does not block it, and bounded."""

import asyncio
import contextlib
import os
from typing import Final

from toolcell.cells.relay import Relay
from toolcell.model.span import EventKind

_READ_BYTES: Final = 64 * 1024
_LIMIT: Final = 16 << 20  # bytes; beyond, nobody reads any more and printing blocks
_EARLY_LIMIT: Final = 64 * 1024
_WORDS: Final = 500


class Output:
    """Standard output and error of one cell; `given` are the ends to print into, for the taker to close."""

    def __init__(self) -> None:
        """Makes the pipes; raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._relay: Relay | None = None
        self._early: list[tuple[EventKind, bytes]] = []
        self._size = 0
        self._pipes: dict[EventKind, int] = {}
        self.given: list[int] = []
        try:
            for kind in (EventKind.STDOUT, EventKind.STDERR):
                self._pipes[kind], write_end = os.pipe()
                os.set_blocking(self._pipes[kind], False)
                self.given.append(write_end)
        except OSError:
            self.close()
            for write_end in self.given:
                os.close(write_end)
            raise

    def listen(self) -> None:
        """Begins to read; what comes before the call is kept for it."""
        for kind, descriptor in self._pipes.items():
            self._loop.add_reader(descriptor, self._on_data, kind)

    def pass_to(self, relay: Relay | None) -> None:
        """Gives what was and will be printed to a relay, or with None to nobody."""
        self._relay = relay
        if relay:
            for kind, data in self._early:
                relay.output(kind, data)
        self._early.clear()

    def drain(self) -> None:
        """Reads what is there now."""
        for kind in self._pipes:
            with contextlib.suppress(BlockingIOError):
                while self._size <= _LIMIT and self._read(kind):
                    pass

    def last_words(self) -> str:
        """Returns the end of what was printed before there was a call."""
        self.drain()
        return b"".join(data for _, data in self._early)[-_WORDS:].decode(errors="replace").strip()

    def close(self) -> None:
        """Stops reading, for good."""
        for descriptor in self._pipes.values():
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._pipes.clear()

    def _on_data(self, kind: EventKind) -> None:
        if kind not in self._pipes:
            return  # closed in the same turn of the loop
        try:
            is_open = self._read(kind)
        except BlockingIOError:
            return
        if not is_open or self._size > _LIMIT:
            self._loop.remove_reader(self._pipes[kind])

    def _read(self, kind: EventKind) -> bool:
        data = os.read(self._pipes[kind], _READ_BYTES)
        self._size += len(data)
        if self._relay:
            self._relay.output(kind, data)
        elif self._size <= _EARLY_LIMIT:
            self._early.append((kind, data))
        return bool(data)
