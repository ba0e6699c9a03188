"""Nothing of a call is left behind: no process, no zombie, no descriptor, no memory that grows with calls."""

import asyncio
import contextlib
from pathlib import Path

import pytest
import uvloop

from tests.unit.cells.toolmaker import Trial, call, children, descriptors, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock
from toolcell.model.errors import ServerOverloaded
from toolcell.model.tool import Tool

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
KINDS = ("answer", "raise", "exit", "crash", "print", "flood", "lie", "babble", "close", "violate")


async def many_calls(directory: Path, rounds: int) -> None:
    cells = Cells(clock=SystemClock(), level=2)
    try:
        tool = make_tool(directory, SOURCE, warm=3)
        await cells.prepare(tool)
        for _ in range(rounds):
            await mixed_calls(cells, tool)
    finally:
        await cells.close()


async def mixed_calls(cells: Cells, tool: Tool) -> None:
    async with asyncio.TaskGroup() as group:
        leaving = [group.create_task(call(cells, tool, {"do": "sleep"})) for _ in range(2)]
        calls = [group.create_task(late(cells, tool))]
        calls += [group.create_task(call(cells, tool, {"do": kind})) for kind in KINDS]
        faults = [(await task).reply.fault for task in calls]
        for task in leaving:
            task.cancel()
    assert [fault is None for fault in faults] == [False, *(kind in ("answer", "print") for kind in KINDS)]


async def late(cells: Cells, tool: Tool) -> Trial:
    """Runs a call into its deadline; a deadline that passes before there was a cell is no such call."""
    while True:
        with contextlib.suppress(ServerOverloaded):
            return await call(cells, tool, {"do": "sleep"}, 0.3)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_few_hundred_mixed_calls_leave_nothing(tmp_path: Path, run: "object") -> None:
    assert callable(run)
    run(many_calls(tmp_path, 1))
    before = children(), descriptors()
    run(many_calls(tmp_path, 15))
    assert (children(), descriptors()) == before
