"""Nothing of a call is left behind: no process, no zombie, no descriptor, no memory that grows with calls."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.unit.cells.toolmaker import call, children, descriptors, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

SOURCE = """
import ctypes, os, time
def handler(arguments, cell):
    match arguments["do"]:
        case "answer": return 1
        case "raise": raise ValueError
        case "exit": os._exit(1)
        case "crash": ctypes.string_at(0)
        case "print": print("x" * 300_000)
        case "flood": return "x" * 2_000_000
        case "lie": os.write(3, b"\\xff\\xff\\xff\\xff")
        case "babble": os.write(3, b"\\0\\0\\0\\2{}" * 10)
        case "close": os.close(3)
        case "violate": ctypes.CDLL(None).unshare(0x10000000)
        case "sleep": time.sleep(600)
"""
KINDS = ("answer", "raise", "exit", "crash", "print", "flood", "lie", "babble", "close", "violate", "sleep")


async def many_calls(directory: Path, rounds: int) -> None:
    cells = Cells(clock=SystemClock(), level=2)
    tool = make_tool(directory, SOURCE, warm=3)
    await cells.prepare(tool)
    for _ in range(rounds):
        calls = [call(cells, tool, {"do": kind}, 0.3 if kind == "sleep" else 20) for kind in KINDS]
        cancelled = [asyncio.ensure_future(call(cells, tool, {"do": "sleep"})) for _ in range(2)]
        trials = await asyncio.gather(*calls)
        assert [trial.reply.fault is None for trial in trials] == [
            kind in ("answer", "print") for kind in KINDS
        ]
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
    await cells.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_few_hundred_mixed_calls_leave_nothing(tmp_path: Path, run: "object") -> None:
    assert callable(run)
    run(many_calls(tmp_path, 1))
    before = children(), descriptors()
    run(many_calls(tmp_path, 15))
    assert (children(), descriptors()) == before
