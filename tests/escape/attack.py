"""An attack: a few lines of a handler's body, and what must come of them. One attack stands in one file."""

import ast
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import pytest

from tests.unit.cells.toolmaker import Trial
from toolcell.cells.containment.syscalls import numbers
from toolcell.cells.pool import Cells, Request
from toolcell.model.errors import Reason
from toolcell.model.span import EventKind
from toolcell.model.tool import Tool

ESCAPED = "escaped"

HANDLER = """
import ctypes, os, signal, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def handler(arguments, cell):
    nr = arguments["numbers"]

    def syscall(name, *values):
        passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in values]
        result = libc.syscall(ctypes.c_long(nr[name] if isinstance(name, str) else name), *passed)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    exec(arguments["attack"], globals())
    return attack(arguments["world"], nr, syscall)
"""


@dataclass(frozen=True)
class Target:
    """A tool whose handler does what its arguments say, the cells it runs in, and the world it finds."""

    cells: Cells
    tool: Tool
    world: Mapping[str, Any]

    async def run(self, body: str) -> Trial:
        """Has a cell run the body of a function, which has `world`, `nr` and `syscall`."""
        source = f"def attack(world, nr, syscall):\n{indent(body.strip(), '    ')}\n    return {ESCAPED!r}\n"
        ast.parse(source)
        events: list[tuple[EventKind, Mapping[str, Any]]] = []
        told = {"attack": source, "numbers": numbers(), "world": self.world}
        request = Request("inv_attack", "", 1, json.dumps(told))
        reply = await self.cells.run(
            self.tool, request, time.monotonic() + 20, lambda kind, told: events.append((kind, told))
        )
        return Trial(reply, events)


@dataclass(frozen=True)
class Attack:
    """A handler's body that returns when it got through.

    `raises` names the exception that must stop it, `kills` says that the kernel must, `reason` is any other.
    `works` says that it gets through where nothing confines it, `as_root` that only root gets through there.
    """

    body: str
    raises: str = ""
    kills: bool = False
    reason: Reason = Reason.HANDLER_CRASHED
    works: bool = False
    as_root: bool = False

    def judge(self, trial: Trial) -> None:
        """Fails unless the attack was blocked and the trace says so."""
        reason = Reason.HANDLER_SANDBOX_VIOLATION if self.kills else self.reason
        assert trial.fault.reason is reason, trial
        if self.kills:
            assert trial.of(EventKind.VIOLATION) == [{"signal": "SIGSYS"}]
        else:
            (exception,) = trial.of(EventKind.EXCEPTION)
            assert not self.raises or exception["type"] == self.raises, exception


Test = Callable[[Target], Awaitable[None]]


def blocked(attack: Attack) -> Test:
    """Returns the test that an attack is blocked and recorded at each Landlock ABI of `confined`."""

    @pytest.mark.asyncio(loop_scope="session")
    async def test(confined: Target) -> None:
        attack.judge(await confined.run(attack.body))

    test.attack = attack  # type: ignore[attr-defined]  # for the run without confinement
    return test
