"""One line an event: for people in `toolcell dev`, as JSON in `toolcell serve`."""

import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, TextIO

from toolcell.model.errors import Reason
from toolcell.model.span import Invocation, State

_STRANGERS = "requests without a valid token were refused"
_COLOURS = {State.SUCCEEDED: "32", State.FAILED: "31", State.CANCELLED: "33"}


class Lines(Protocol):
    """Where the server says what happens."""

    def invocation(self, record: Invocation) -> None:
        """Tells that an invocation ended."""
        ...

    def strangers(self, counts: Mapping[Reason, int]) -> None:
        """Tells how many requests came without a valid token since this was last told, by reason."""
        ...

    def event(self, name: str, message: str, **fields: object) -> None:
        """Tells anything else; `message` and `fields` hold no secret and nothing of a request's metadata."""
        ...

    def problem(self, message: str, *, where: str, remedy: str, **fields: object) -> None:
        """Tells what is wrong with the workspace; `where` is `file:line:column` as far as that is known."""
        ...


class HumanLines:
    """Lines for a terminal; coloured only when `is_coloured`."""

    def __init__(self, out: TextIO = sys.stdout, *, is_coloured: bool = False) -> None:
        self._out = out
        self._is_coloured = is_coloured

    def invocation(self, record: Invocation) -> None:
        """Prints time, tool, state or reason, duration, id and caller."""
        word = record.failure.reason if record.failure else record.state
        tinted = f"\033[{_COLOURS[record.state]}m{word}\033[0m" if self._is_coloured else word
        tool = _printable(record.tool) or "-"
        clock = time.strftime("%H:%M:%S", time.localtime(record.end_time / 1e6))
        took = (record.end_time - record.create_time) / 1000
        line = f"{clock}  {tool}  {tinted}  {took:.1f} ms  {record.invocation_id}  {record.caller}"
        say(self._out, line)

    def strangers(self, counts: Mapping[Reason, int]) -> None:
        """Prints the counts."""
        self.event("strangers", _STRANGERS, **{reason.value: count for reason, count in counts.items()})

    def event(self, name: str, message: str, **fields: object) -> None:  # noqa: ARG002 - the name is for machines
        """Prints the message, then the fields."""
        shown = "  ".join(f"{key}={value}" for key, value in fields.items())
        line = f"{time.strftime('%H:%M:%S')}  {message}  {shown}".rstrip()
        say(self._out, "\n".join(_printable(part) for part in line.splitlines()))

    def problem(self, message: str, *, where: str, remedy: str, **fields: object) -> None:  # noqa: ARG002
        """Prints the place first, as editors and terminals want it, then what is wrong and what to do."""
        said = " ".join(f"{where}: {message}".split())
        tinted = f"\033[31m{_printable(said)}\033[0m" if self._is_coloured else _printable(said)
        end = "" if said.endswith((".", "!", "?")) else "."
        say(self._out, f"{time.strftime('%H:%M:%S')}  {tinted}{end} {_printable(remedy)}")


def _printable(text: str) -> str:
    """Replaces control characters: what a caller or a tool wrote must not steer the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


class JsonLines:
    """One JSON object a line, for a log collector."""

    def __init__(self, out: TextIO = sys.stderr, wall: Callable[[], float] = time.time) -> None:
        self._out = out
        self._wall = wall

    def invocation(self, record: Invocation) -> None:
        """Writes what identifies the invocation and how it ended; never its input or output."""
        self._write(
            "invocation",
            invocation_id=record.invocation_id,
            trace_id=record.trace_id,
            tool=record.tool,
            revision=record.revision,
            caller=record.caller,
            token_id=record.token_id,
            state=record.state,
            reason=record.failure.reason if record.failure else "",
            duration_ms=round((record.end_time - record.create_time) / 1000, 3),
        )

    def strangers(self, counts: Mapping[Reason, int]) -> None:
        """Writes the counts."""
        self.event("strangers", _STRANGERS, **{reason.value: count for reason, count in counts.items()})

    def event(self, name: str, message: str, **fields: object) -> None:
        """Writes the event under its name."""
        self._write(name, message=message, **fields)

    def problem(self, message: str, *, where: str, remedy: str, **fields: object) -> None:
        """Writes an event `problem`."""
        self._write("problem", message=message, where=where, remedy=remedy, **fields)

    def _write(self, name: str, **fields: object) -> None:
        stamp = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now := self._wall()))
            + f".{int(now * 1000) % 1000:03d}Z"
        )
        say(self._out, json.dumps({"time": stamp, "event": name, **fields}, default=str))


class LibraryLog(logging.Handler):
    """Tells what libraries warn of as lines like all others, under the name `library`."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record of any logger."""
        self._lines.event("library", self.format(record), logger=record.name, level=record.levelname)


def say(out: TextIO, line: str) -> None:
    """Writes a line where somebody may read it; never raises, and never waits for a reader that is stuck.

    A call that ran must not fail because a terminal was closed or the log's disk is full, and no deadline be
    missed because a pager or a log collector stands still: the trace has it.
    """
    try:
        if _is_ready(out):
            print(line, file=out, flush=True)
    except BrokenPipeError:  # nobody will read again, and the interpreter flushes once more at its end
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, out.fileno())
            os.close(nowhere)
    except (OSError, ValueError):  # a full disk, or a character this terminal's encoding does not have
        return


def _is_ready(out: TextIO) -> bool:
    """Tells whether a line can be written without waiting: a pipe then has room for at least 4 KiB."""
    try:
        number = out.fileno()
    except OSError:  # no file: text in memory
        return True
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return bool(poll.poll(0))
