"""Handlers that do not import and policies that cannot be met: their tools are unavailable, with a reason."""

from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import call, make_tool
from toolcell.cells import zygote
from toolcell.cells.pool import Cells
from toolcell.model.errors import ToolUnavailable
from toolcell.model.tool import Cause

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


async def test_an_import_that_never_ends_is_ended(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "START_SECONDS", 0.3)
    with pytest.raises(ToolUnavailable, match=r"took longer than 0\.3 s"):
        await cells.prepare(make_tool(tmp_path, "import time; time.sleep(600)"))


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
