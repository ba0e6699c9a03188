"""StartJob is acknowledged when the job is on disk: against a bare group commit in the same run."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.bench.commits import SERVER, GroupCommit
from tests.bench.conftest import Report
from tests.bench.workspace import Running, bare, make, serve
from toolcell.v1 import job_service_pb2 as pb
from toolcell.v1 import job_service_pb2_grpc as rpc

CLIENTS, SECONDS, ROUNDS = 32, 1.0, 3
REQUEST = pb.StartJobRequest(tool="add0", arguments_json='{"a": 2, "b": 3}')
HOLD = "import time\ndef handler(arguments, cell):\n    time.sleep(3600)\n"
ONE_SLOT = """timeout = "1h"
[pool]
warm = 1
max = 1
[rate]
per_caller = "100000/s"
per_tool = "100000/s"
burst = 100000
"""


async def _rate(one: Callable[[], Awaitable[object]]) -> float:
    """Returns how many of these are answered a second, when so many clients ask without a pause."""
    done, end = 0, time.perf_counter() + SECONDS

    async def ask() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await one()
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return done / (time.perf_counter() - begun)


async def _bare(path: Path) -> float:
    """Commits rows as quickly as the disk lets it, without any server."""
    commit, loop = GroupCommit(path), asyncio.get_running_loop()

    async def keep() -> None:
        done = loop.create_future()
        commit.keep("x" * 500, lambda: loop.call_soon_threadsafe(done.set_result, None))
        await done

    return await _rate(keep)


@dataclass(slots=True)
class Pace:
    """What a server did in all rounds: acknowledgements, its CPU seconds, and the best rate of a round."""

    server: Running
    one: Callable[[], Awaitable[object]]
    acks: float = 0.0
    processor: float = 0.0
    best: float = 0.0

    async def round(self) -> None:
        used = self.server.processor_seconds()
        rate = await _rate(self.one)
        self.acks += rate * SECONDS
        self.processor += self.server.processor_seconds() - used
        self.best = max(self.best, rate)


async def _over_grpc(server: Running, floor: Running) -> tuple[Pace, Pace]:
    """Measures StartJob and the bare server in turn."""
    payload = REQUEST.SerializeToString()
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        grpc.aio.insecure_channel(floor.address) as bare_channel,
    ):
        start = rpc.JobServiceStub(channel).StartJob
        keep: Any = bare_channel.unary_unary("/Echo/Keep")
        await start(REQUEST, metadata=server.metadata)
        ours = Pace(server, lambda: start(REQUEST, metadata=server.metadata))
        least = Pace(floor, lambda: keep(payload))
        for _ in range(ROUNDS):
            await least.round()
            await ours.round()
    return ours, least


def test_start_job_acknowledgements(tmp_path: Path, report: Report) -> None:
    folder = make(tmp_path / "work", 1)
    (folder / "handlers/add0/handler.py").write_text(HOLD)
    (folder / "handlers/add0/cell.toml").write_text(ONE_SLOT)
    rows = asyncio.run(_bare(tmp_path / "bare.db"))
    root = str(Path(__file__).parents[2])
    with serve(folder) as server, bare(SERVER, str(tmp_path / "floor.db"), root) as floor:
        ours, least = asyncio.run(_over_grpc(server, floor))
    report("bare group commits, 32 callers in one process", rows, "rows/s")
    report("StartJob, 32 clients, and a bare gRPC commit", ours.best, "jobs/s", floor=least.best)
    # Held against the floor by what a second of the server's CPU acknowledges: the rate is also that of the
    # client beside it, and of whatever else the machine does.
    per_second = ours.acks / ours.processor
    report("StartJob acks", per_second, "/CPU s", floor=least.acks / least.processor, least=0.5)
