"""A call that is stopped ends with the answer that came first, or as cancelled once its process is dead."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cells.toolmaker import SECONDS, dead, make_tool
from toolcell.cells.pool import Cells, Reply, Request
from toolcell.model.errors import Reason
from toolcell.model.span import EventKind

SOURCE = """
    import os, signal, time
    from toolcell import ToolError

    told = []

    def handler(arguments, cell):
        signal.signal(signal.SIGTERM, {
            "answer": lambda *_: told.append(1),
            "ignore": signal.SIG_IGN,
            "default": signal.SIG_DFL,
            "runtime": signal.getsignal(signal.SIGTERM),
        }[arguments["on"]])
        cell.log("at it", process=os.getpid())
        while not told:
            time.sleep(0.01)
        if arguments.get("declare"):
            raise ToolError("half of it is done")
        if arguments.get("crash"):
            raise ValueError("broken off")
        return {"done": True}
"""


async def stopped(cells: Cells, folder: Path, **arguments: Any) -> Reply:
    """Calls a tool, stops it once its handler runs, and returns what came of it; the process is gone then."""
    running: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def hear(kind: EventKind, body: Mapping[str, Any]) -> None:
        if kind is EventKind.LOG:
            running.set_result(body["fields"]["process"])

    request = Request("inv_test", "", 1, json.dumps(arguments))
    tool = make_tool(folder / "tool", SOURCE)
    calling = asyncio.ensure_future(cells.run(tool, request, time.monotonic() + SECONDS, hear))
    process = await running
    assert not cells.stop("inv_other")
    assert cells.stop("inv_test")
    assert cells.stop("inv_test")  # twice is as once
    reply = await calling
    await dead(process)
    assert not cells.stop("inv_test")
    return reply


@pytest.mark.parametrize("on", ["runtime", "default", "ignore"])
async def test_a_handler_that_dies_of_it_was_cancelled(cells: Cells, tmp_path: Path, on: str) -> None:
    fault = (await stopped(cells, tmp_path, on=on)).fault
    assert fault is not None
    assert fault.reason is Reason.CANCELLED


async def test_a_handler_that_breaks_off_was_cancelled(cells: Cells, tmp_path: Path) -> None:
    fault = (await stopped(cells, tmp_path, on="answer", crash=True)).fault
    assert fault is not None
    assert fault.reason is Reason.CANCELLED


async def test_an_answer_that_comes_first_is_the_answer(cells: Cells, tmp_path: Path) -> None:
    assert (await stopped(cells, tmp_path, on="answer")).value == {"done": True}


async def test_so_is_an_error_that_the_handler_declares(cells: Cells, tmp_path: Path) -> None:
    fault = (await stopped(cells, tmp_path, on="answer", declare=True)).fault
    assert fault is not None
    assert fault.reason is Reason.TOOL_ERROR
