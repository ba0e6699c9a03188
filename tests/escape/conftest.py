"""The world an attack finds, and cells confined as on kernels old and new."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.escape.attack import HANDLER, Target
from tests.unit.cells.toolmaker import make_tool
from toolcell.cells import pool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

NEWEST = None


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[1, 2, 3, NEWEST],
    ids=lambda abi: f"abi-{abi or 'newest'}",
)
async def confined(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    neighbour: tuple[int, Path],
    listeners: dict[str, Any],
) -> AsyncIterator[Target]:
    """A tool confined with one Landlock ABI: 1 and 2 as on Linux 5.13 to 6.1, 3 as on 6.2, this kernel's.

    Every attack has a cell of its own, and they share the zygote, which outlives them all.
    """
    cells = Cells(clock=SystemClock(), level=2, landlock_abi=request.param)
    directory = tmp_path_factory.mktemp("confined") / "attack"
    tool = make_tool(directory, HANDLER, warm=4)
    target = Target(cells, tool, a_world(directory, neighbour, listeners))
    zygote = await target.run("return os.getppid()")
    yield target
    assert (await target.run("return os.getppid()")).reply.value == zygote.reply.value
    await cells.close()


@pytest.fixture(scope="session")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Another tool, served by another server: the process of its zygote, and its code."""
    directory = tmp_path_factory.mktemp("neighbour")
    command = [sys.executable, "-c", NEIGHBOUR, str(Path.cwd()), str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline()), directory / "handler.py"
        server.communicate()


NEIGHBOUR = r"""
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.cells.toolmaker import call, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

async def main():
    cells = Cells(clock=SystemClock(), level=2)
    source = "import os\ndef handler(arguments, cell):\n    return os.getppid()"
    print((await call(cells, make_tool(Path(sys.argv[2]), source))).reply.value, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await cells.close()

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def listeners() -> Iterator[dict[str, Any]]:
    """A TCP port, a stream and a datagram socket with a path, and one with an abstract name."""
    with tempfile.TemporaryDirectory(prefix="w") as directory:
        stream, datagram, name = f"{directory}/s", f"{directory}/d", f"escape-{os.getpid()}"
        tcp = socket.create_server(("127.0.0.1", 0))
        made = [tcp, socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)]
        made += [socket.socket(socket.AF_UNIX)]
        for listener, address in zip(made[1:], (stream, datagram, f"\0{name}"), strict=True):
            listener.bind(address)
        made[1].listen()
        made[3].listen()
        yield {"port": tcp.getsockname()[1], "stream": stream, "datagram": datagram, "abstract": name}
        for listener in made:
            listener.close()


def a_world(directory: Path, neighbour: tuple[int, Path], listeners: dict[str, Any]) -> dict[str, Any]:
    """Fills a tool's directory, and returns what attacks are told: processes, files, sockets."""
    secret = directory.parent / "secret.txt"
    secret.write_text("s3cret")
    (directory / "link").symlink_to(secret)
    (directory / "data").mkdir()
    (directory / "data" / "rows.txt").write_text("rows")
    (directory / "cell.toml").write_text("")
    return {
        "server": os.getpid(),
        "neighbour": neighbour[0],
        "secret": str(secret),
        "directory": str(directory),
        "neighbour_code": str(neighbour[1]),
        "server_code": pool.__file__,
        "machine": os.uname().machine,
        **listeners,
    }
