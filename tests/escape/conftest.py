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

from toolcell.cells import pool
from toolcell.cells.containment.syscalls import numbers
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

NEWEST = None


@pytest.fixture(params=[1, 2, 3, NEWEST], ids=lambda abi: f"abi-{abi or 'newest'}")
async def cells(request: pytest.FixtureRequest) -> AsyncIterator[Cells]:
    """Cells confined with one Landlock ABI: 1 and 2 as on Linux 5.13 to 6.1, 3 as on 6.2, this kernel's."""
    made = Cells(clock=SystemClock(), level=2, landlock_abi=request.param)
    yield made
    await made.close()


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


@pytest.fixture
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


@pytest.fixture
def world(tmp_path: Path, neighbour: tuple[int, Path], listeners: dict[str, Any]) -> dict[str, Any]:
    """What an attack's arguments tell it: numbers of system calls, processes, files, sockets."""
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret")
    here = tmp_path / "attack"
    here.mkdir()
    (here / "link").symlink_to(secret)
    (here / "data").mkdir()
    (here / "data" / "rows.txt").write_text("rows")
    (here / "cell.toml").write_text("")
    found = {
        "server": os.getpid(),
        "neighbour": neighbour[0],
        "secret": str(secret),
        "directory": str(here),
        "neighbour_code": str(neighbour[1]),
        "server_code": pool.__file__,
        "machine": os.uname().machine,
        **listeners,
    }
    return {"numbers": numbers(), "world": found}
