"""The lives of zygotes: when they start, what keeps them from starting, when they end."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import Hand, call, children, dead, descriptors, make_tool
from toolcell.cells.pool import Cells, Reply, Request
from toolcell.model.clock import SystemClock
from toolcell.model.errors import Reason, ServerDraining, ServerOverloaded, ToolUnavailable
from toolcell.model.tool import Tool

ECHO = "def handler(arguments, cell):\n    return arguments"
PIDS = "import os\ndef handler(arguments, cell):\n    return [os.getppid(), os.getpid()]"


async def zygote_of(cells: Cells, tool: Tool) -> int:
    value = (await call(cells, tool)).reply.value
    assert isinstance(value, list)
    return int(value[0])


async def test_a_broken_tool_is_tried_again_only_after_a_while(
    few: Cells, clock: Hand, tmp_path: Path
) -> None:
    tool = make_tool(tmp_path, "import side")
    with pytest.raises(ToolUnavailable):
        await few.prepare(tool)
    (tmp_path / "side.py").write_text("")
    (tmp_path / "handler.py").write_text("import side\n" + ECHO)
    with pytest.raises(ToolUnavailable, match="No module named 'side'"):
        await few.prepare(tool)
    clock.now += 1.5
    await few.prepare(tool)


async def test_a_revision_has_one_zygote_and_another_revision_its_own(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path / "a", PIDS)
    first = await zygote_of(cells, tool)
    assert await zygote_of(cells, tool) == first
    assert await zygote_of(cells, make_tool(tmp_path / "b", PIDS)) != first


async def test_the_zygote_used_longest_ago_makes_room(few: Cells, clock: Hand, tmp_path: Path) -> None:
    tools = [make_tool(tmp_path / name, PIDS) for name in "abc"]
    first, second = [await zygote_of(few, tool) for tool in tools[:2]]
    assert await zygote_of(few, tools[0]) == first
    await zygote_of(few, tools[2])
    await dead(second)
    assert await zygote_of(few, tools[0]) == first


async def test_when_every_zygote_is_busy_a_further_tool_is_refused(few: Cells, tmp_path: Path) -> None:
    source = "import time\ndef handler(arguments, cell):\n    cell.log('here')\n    time.sleep(600)"
    busy = [asyncio.create_task(call(few, make_tool(tmp_path / name, source))) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(ServerOverloaded, match="All 2 tools"):
        await few.prepare(make_tool(tmp_path / "c", ECHO))
    for task in busy:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*busy, return_exceptions=True)
    )


async def test_a_retired_revision_s_zygote_goes_when_its_call_has_ended(cells: Cells, tmp_path: Path) -> None:
    source = PIDS.replace(
        "return", "cell.log('here')\n    import time; time.sleep(arguments.get('s', 0))\n    return"
    )
    old, new = make_tool(tmp_path / "old", source), make_tool(tmp_path / "new", source)
    first, kept = await zygote_of(cells, old), await zygote_of(cells, new)
    running = asyncio.create_task(call(cells, old, {"s": 0.2}))
    await asyncio.sleep(0)
    cells.retire({new.revision})
    assert (await running).reply.fault is None
    await dead(first)
    assert await zygote_of(cells, new) == kept


async def test_an_idle_zygote_stops_and_the_next_call_starts_another(tmp_path: Path) -> None:
    cells = Cells(clock=SystemClock(), level=2, idle_seconds=0.2)
    tool = make_tool(tmp_path, PIDS)
    first = await zygote_of(cells, tool)
    await dead(first)
    assert await zygote_of(cells, tool) != first
    await cells.close()


@pytest.mark.parametrize("warm", [1, 2, 8, 16])
async def test_a_zygote_that_was_killed_is_replaced(cells: Cells, tmp_path: Path, warm: int) -> None:
    tool = make_tool(tmp_path, PIDS, warm=warm)
    first = await zygote_of(cells, tool)
    await cells.prepare(tool)
    os.kill(first, signal.SIGKILL)
    await dead(first)
    assert await zygote_of(cells, tool) != first


async def test_a_waiting_cell_that_was_killed_costs_no_call(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, PIDS, warm=1)
    zygote_id = await zygote_of(cells, tool)
    await cells.prepare(tool)
    for waiting in children(zygote_id):
        os.kill(waiting, signal.SIGKILL)
    assert await zygote_of(cells, tool) == zygote_id


async def test_without_descriptors_a_call_is_refused_and_the_next_one_runs(
    cells: Cells, tmp_path: Path
) -> None:
    tool = make_tool(tmp_path, PIDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for spare in range(12):
        used = highest_descriptor()
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
        try:
            with contextlib.suppress(ServerOverloaded, ToolUnavailable):
                await call(cells, tool)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    async with asyncio.timeout(10):
        await eventually(cells, tool)


def highest_descriptor() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir())


async def eventually(cells: Cells, tool: Tool) -> int:
    """Calls a tool until its zygote may be started again."""
    while True:
        with contextlib.suppress(ToolUnavailable):
            return await zygote_of(cells, tool)
        await asyncio.sleep(0.1)


async def test_a_cancelled_call_lets_the_handler_clean_up(cells: Cells, tmp_path: Path) -> None:
    source = """
        import os, time
        def handler(arguments, cell):
            cell.log(str(os.getpid()))
            try:
                time.sleep(600)
            finally:
                print("cleaning up")
    """
    tool = make_tool(tmp_path, source)
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(watched(cells, tool, started))
    process = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await dead(process)


async def watched(cells: Cells, tool: Tool, started: asyncio.Future[int]) -> Reply:
    """Runs a call of a handler whose first log line is a number, and passes the number on."""
    deadline = SystemClock().monotonic() + 30
    request = Request("inv_test", "", 1, "{}")
    return await cells.run(tool, request, deadline, lambda _, body: started.set_result(int(body["message"])))


async def test_closing_ends_running_calls_and_refuses_new_ones(tmp_path: Path) -> None:
    before = children(), descriptors()
    cells = Cells(clock=SystemClock(), level=2)
    tool = make_tool(
        tmp_path, "import time\ndef handler(arguments, cell):\n    cell.log('1')\n    time.sleep(600)"
    )
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(watched(cells, tool, started))
    await started
    await cells.close()
    fault = (await running).fault
    assert fault is not None
    assert fault.reason is Reason.CANCELLED
    with pytest.raises(ServerDraining):
        await call(cells, tool)
    assert (children(), descriptors()) == before


async def test_zygotes_and_cells_die_with_their_server(tmp_path: Path) -> None:
    make_tool(tmp_path / "tool", PIDS)
    (tmp_path / "server.py").write_text(SERVER)
    arguments = (str(tmp_path / "server.py"), str(Path.cwd()), str(tmp_path / "tool"))
    server = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    processes = [int(number) for number in (await server.stdout.readline()).split()]
    assert len(processes) == 2
    server.kill()
    await server.communicate()
    for process in processes:
        await dead(process)


SERVER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.cells.toolmaker import call, children, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

async def main():
    directory = Path(sys.argv[2])
    cells = Cells(clock=SystemClock(), level=2)
    tool = make_tool(directory, (directory / "handler.py").read_text())
    zygote, _ = (await call(cells, tool)).reply.value
    await cells.prepare(tool)
    print(zygote, children(zygote).pop(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
