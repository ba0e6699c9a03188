"""An attack: a few lines of a handler's body, and what must come of them. One attack stands in one file."""

import ast
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

from tests.unit.cells.toolmaker import Trial, make_tool
from toolcell.cells.pool import Cells, Request
from toolcell.model.errors import Reason
from toolcell.model.span import EventKind

ESCAPED = "escaped"

PRELUDE = """
import ctypes, os, signal, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def handler(arguments, cell):
    nr = arguments["numbers"]
    world = arguments["world"]

    def syscall(name, *values):
        passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in values]
        result = libc.syscall(ctypes.c_long(nr[name] if isinstance(name, str) else name), *passed)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

"""


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

    async def run(self, cells: Cells, directory: Path, world: Mapping[str, Any]) -> Trial:
        """Makes a tool of the attack and calls it once."""
        source = f"{PRELUDE}{indent(self.body.strip(), '    ')}\n    return {ESCAPED!r}\n"
        ast.parse(source)
        tool = make_tool(directory, source)
        events: list[tuple[EventKind, Mapping[str, Any]]] = []
        request = Request("inv_attack", "", 1, json.dumps(world))
        deadline = time.monotonic() + 20
        return Trial(
            await cells.run(tool, request, deadline, lambda kind, body: events.append((kind, body))), events
        )

    def judge(self, trial: Trial) -> None:
        """Fails unless the attack was blocked and the trace says so."""
        reason = Reason.HANDLER_SANDBOX_VIOLATION if self.kills else self.reason
        assert trial.fault.reason is reason, trial
        if self.kills:
            assert trial.of(EventKind.VIOLATION) == [{"signal": "SIGSYS"}]
        else:
            (exception,) = trial.of(EventKind.EXCEPTION)
            assert not self.raises or exception["type"] == self.raises, exception


Test = Callable[[Cells, Path, Mapping[str, Any]], Awaitable[None]]


def blocked(attack: Attack) -> Test:
    """Returns the test that an attack is blocked and recorded at each Landlock ABI of `cells`."""

    async def test(cells: Cells, tmp_path: Path, world: Mapping[str, Any]) -> None:
        attack.judge(await attack.run(cells, tmp_path / "attack", world))

    test.attack = attack  # type: ignore[attr-defined]  # for the run without confinement
    return test
