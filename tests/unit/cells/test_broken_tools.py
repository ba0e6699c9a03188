"""Handlers that do not import and policies that cannot be met: their tools are unavailable, with a reason."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import Hand, call, children, make_tool
from toolcell.cells import zygote
from toolcell.cells.pool import Cells, Request
from toolcell.model.errors import Executed, ServerOverloaded, ToolUnavailable
from toolcell.model.tool import Cause

ENDLESS = "import time; time.sleep(600)"
ECHO = "def handler(arguments, cell):\n    return arguments"

BROKEN = {
    "import nothing_of_the_kind": "ModuleNotFoundError: No module named 'nothing_of_the_kind'",
    "def handler(:": "SyntaxError: invalid syntax",
    "handler = 7": "handler has no function handler: write `def handler(arguments, cell):`",
    "raise SystemExit('bye')": "SystemExit: bye",
}
FATAL = {
    "import os; os._exit(5)": "its process ended: exit 5",
    "import ctypes; ctypes.CDLL(None).unshare(0x10000000)": "its process ended: signal SIGSYS",
}


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("source", BROKEN)
async def test_a_handler_that_does_not_import_makes_its_tool_unavailable(
    cells: Cells, tmp_path: Path, source: str, *, preload: bool
) -> None:
    tool = make_tool(tmp_path, source, preload=preload)
    for attempt in (cells.prepare(tool), call(cells, tool)):
        with pytest.raises(ToolUnavailable) as caught:
            await attempt
        assert BROKEN[source] in caught.value.message
        assert caught.value.metadata == {"tool": "probe", "cause": Cause.HANDLER_IMPORT_FAILED}


@pytest.mark.parametrize("source", FATAL)
async def test_a_handler_that_ends_its_zygote_makes_its_tool_unavailable(
    cells: Cells, tmp_path: Path, source: str
) -> None:
    with pytest.raises(ToolUnavailable) as caught:
        await cells.prepare(make_tool(tmp_path, source))
    assert FATAL[source] in caught.value.message


async def test_the_stack_of_a_failed_import_is_a_note(cells: Cells, tmp_path: Path) -> None:
    with pytest.raises(ToolUnavailable) as caught:
        await cells.prepare(make_tool(tmp_path, "\n\nimport nothing_of_the_kind"))
    assert 'handler.py", line 3' in caught.value.__notes__[0]


@pytest.mark.parametrize("preload", [True, False])
async def test_an_import_that_never_ends_makes_its_tool_unavailable(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, preload: bool
) -> None:
    monkeypatch.setattr(zygote, "START_SECONDS", 0.3)
    tool = make_tool(tmp_path, ENDLESS, preload=preload)
    for attempt in (cells.prepare(tool), call(cells, tool), call(cells, tool, seconds=0.001)):
        with pytest.raises(
            ToolUnavailable, match=r"the import of handler did not finish in 0\.3 s"
        ) as caught:
            await attempt
        assert caught.value.metadata["cause"] == Cause.HANDLER_IMPORT_FAILED


@pytest.mark.parametrize("preload", [True, False])
async def test_a_call_whose_time_is_up_while_its_tool_starts_says_nothing_of_the_tool(
    cells: Cells, tmp_path: Path, *, preload: bool
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    tool = make_tool(
        tmp_path,
        f"open(__file__[:-len('handler.py')] + 'gate').read()\n{ECHO}",
        preload=preload,
        read=("gate",),
    )
    with pytest.raises(ServerOverloaded, match="still starting when the call's time was up") as caught:
        await call(cells, tool, seconds=0.3)
    assert caught.value.executed is Executed.NO
    later = asyncio.create_task(call(cells, tool, {"n": 1}))
    await asyncio.to_thread(gate.write_text, "go")
    assert (await later).reply.value == {"n": 1}


async def test_a_tool_that_hung_before_is_unavailable_also_while_it_is_tried_again(
    few: Cells, clock: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = make_tool(tmp_path, ENDLESS)
    monkeypatch.setattr(zygote, "START_SECONDS", 0.3)
    with pytest.raises(ToolUnavailable):
        await few.prepare(tool)
    monkeypatch.setattr(zygote, "START_SECONDS", 60.0)
    clock.now += 40
    before = children()
    with pytest.raises(ToolUnavailable, match=r"did not finish in 0\.3 s"):
        await few.run(tool, Request("inv_test", "", 1, "{}"), clock.now + 0.1, lambda *_: None)
    assert children() - before


async def test_a_policy_that_reads_outside_its_directory_is_refused(cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "out").symlink_to(tmp_path)
    for path in ("../", "out", "/etc", "absent"):
        with pytest.raises(ToolUnavailable) as caught:
            await cells.prepare(make_tool(tmp_path / "tool", ECHO, read=(path,)))
        assert caught.value.metadata["cause"] == Cause.POLICY_INVALID
        assert path in caught.value.message


async def test_cells_that_cannot_be_confined_say_why(cells: Cells, tmp_path: Path) -> None:
    with pytest.raises(ToolUnavailable, match="lower the cell's limits"):
        await cells.prepare(make_tool(tmp_path, ECHO, cpu_seconds=1e30))
