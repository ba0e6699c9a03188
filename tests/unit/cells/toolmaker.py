"""Tools made of a few lines of Python, and cells to call them in."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from toolcell.cells.pool import Cells, Reply, Request
from toolcell.model.clock import SystemClock
from toolcell.model.errors import HandlerFault
from toolcell.model.span import EventKind
from toolcell.model.tool import Idempotency, Limits, Policy, Pool, Tool

SECONDS = 20.0


class Hand:
    """A clock whose monotonic time is moved by hand."""

    def __init__(self) -> None:
        self.now = SystemClock().monotonic()

    def wall(self) -> int:
        return SystemClock().wall()

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Trial:
    """What came of one call: the reply, and the events in their order."""

    reply: Reply
    events: list[tuple[EventKind, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def fault(self) -> HandlerFault:
        assert self.reply.fault is not None, f"the call succeeded: {self.reply.value!r}"
        return self.reply.fault

    def of(self, kind: EventKind) -> list[Mapping[str, Any]]:
        """Returns the bodies of the events of one kind."""
        return [body for found, body in self.events if found is kind]

    @property
    def printed(self) -> list[str]:
        return [body["text"] for body in self.of(EventKind.STDOUT)]


def make_tool(directory: Path, source: str, **changes: Any) -> Tool:
    """Writes a handler and returns its tool; `changes` are fields of Tool, of Policy or of Limits."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "handler.py").write_text(dedent(source))
    limits = Limits(**{name: changes.pop(name) for name in Limits.__slots__ if name in changes})
    pool = Pool(warm=changes.pop("warm", 1))
    policy = {
        name: changes.pop(name) for name in Policy.__slots__ if name in changes and name != "timeout_seconds"
    }
    return Tool(
        **{
            "name": "probe",
            "title": "",
            "description": "",
            "path": "/test.v1.Test/Probe",
            "idempotency": Idempotency.UNSET,
            "timeout_seconds": SECONDS,
            "output_limit_bytes": 1 << 20,
            "directory": directory,
            "policy": Policy(limits=limits, pool=pool, **policy),
            "revision": f"{directory.name}-1",
            **changes,
        }
    )


async def call(cells: Cells, tool: Tool, arguments: object = None, seconds: float = SECONDS) -> Trial:
    """Calls a tool once."""
    events: list[tuple[EventKind, Mapping[str, Any]]] = []
    text = json.dumps({} if arguments is None else arguments)
    request = Request("inv_test", "call_test", 1, text)
    reply = await cells.run(
        tool, request, time.monotonic() + seconds, lambda kind, body: events.append((kind, body))
    )
    return Trial(reply, events)


def children(parent: int = 0) -> set[int]:
    """Returns the children of a process (default: this one) by its first thread, zombies too."""
    parent = parent or os.getpid()
    return {int(number) for number in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}


def descriptors() -> int:
    """Counts this process's open descriptors."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def dead(process: int) -> None:
    """Waits until a process is gone; it need not be a child."""
    try:
        pidfd = os.pidfd_open(process)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
