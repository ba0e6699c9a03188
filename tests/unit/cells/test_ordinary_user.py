"""Cells work the same when an ordinary user runs the server."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, os, sys, tempfile
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.unit.cells.toolmaker import call, children, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

SOURCE = '''
import os
def handler(arguments, cell):
    if "path" in arguments: return open(arguments["path"]).read()
    if "kill" in arguments: os.kill(arguments["kill"], 0)
    return [os.getuid(), sum(arguments["of"])]
'''

async def main():
    cells = Cells(clock=SystemClock(), level=2)
    with tempfile.TemporaryDirectory() as directory:
        tool = make_tool(Path(directory) / "tool", SOURCE)
        Path(directory, "own.txt").write_text("own")
        first = await call(cells, tool, {{"of": [1, 2]}})
        assert first.reply.value == [os.getuid(), 3], first
        assert first.reply.usage.memory_peak_bytes > 0, first
        for attack in ({{"path": directory + "/own.txt"}}, {{"kill": os.getpid()}}):
            trial = await call(cells, tool, attack)
            assert trial.events[0][1]["type"] == "PermissionError", trial
    await cells.close()
    assert not children()
    print("well")

asyncio.run(main())
"""


def test_an_ordinary_user_s_cells_are_confined(tmp_path: Path) -> None:
    nobody = 65534 if os.getuid() == 0 else None  # else we are one already
    program = PROGRAM.format(root=str(Path.cwd()))
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        user=nobody,
        group=nobody,
        extra_groups=[] if nobody else None,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "well\n", done.stderr
