"""A call of a trivial Python tool, in a fresh confined process, validated and traced, against a bare echo."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from tests.bench.conftest import Report
from tests.bench.workspace import Running, echo, make, serve
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

ROUNDS, CALLS = 6, 100
GAP = 0.01  # seconds between calls: a pool is warm when its refilling, 2 ms of a core a cell, keeps up
REQUEST = pb.InvokeRequest(tool="add0", arguments_json='{"a": 2, "b": 3}')


def times(call: Callable[[], object], count: int, gap: float = GAP) -> list[float]:
    """Returns how long each of `count` calls took, in µs; `gap` is the rest before each, in seconds."""
    taken = []
    for _ in range(count):
        time.sleep(gap)
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e6)
    return taken


def test_warm_invoke_one_at_a_time(tmp_path: Path, report: Report) -> None:
    with (
        serve(make(tmp_path, 1)) as server,
        echo() as address,
        server.channel() as channel,
        grpc.insecure_channel(address) as bare,
    ):
        raw: grpc.UnaryUnaryMultiCallable[bytes, bytes] = bare.unary_unary("/Echo/Echo")
        stub = rpc.ToolServiceStub(channel)
        payload = REQUEST.SerializeToString()

        def invoke() -> None:
            assert stub.Invoke(REQUEST, metadata=server.metadata).output_json == '{"sum":5}'

        for _ in range(50):
            invoke()
            raw(payload)
        floor, ours, hurried, hurried_floor = [], [], [], []
        for _ in range(ROUNDS):
            floor += times(lambda: raw(payload), CALLS)
            ours += times(invoke, CALLS)
        for _ in range(ROUNDS):
            hurried_floor += times(lambda: raw(payload), CALLS, gap=0)
            hurried += times(invoke, CALLS, gap=0)
    p99 = statistics.quantiles(ours, n=100)[98]
    p50 = statistics.median(hurried)  # no budget: it is what making a cell takes, not what a warm call takes
    report("Invoke, back to back, p50", p50, "µs", floor=statistics.median(hurried_floor))
    report("Invoke, one at a time, p99", p99, "µs", floor=statistics.quantiles(floor, n=100)[98])
    report(
        "Invoke, one at a time, p50", statistics.median(ours), "µs", floor=statistics.median(floor), most=2.5
    )


async def _flood(server: Running, seconds: float) -> float:
    done = 0
    end = time.perf_counter() + seconds
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = rpc.ToolServiceStub(channel)

        async def one() -> None:
            nonlocal done
            while time.perf_counter() < end:
                answer = await stub.Invoke(REQUEST, metadata=server.metadata)
                assert answer.output_json
                done += 1

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(16)))
    return done / (time.perf_counter() - begun)


def test_sixteen_at_a_time(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, 1)) as server:
        asyncio.run(_flood(server, 1))
        rate = asyncio.run(_flood(server, 5))
    cores = len(os.sched_getaffinity(0))
    report("Invoke, concurrency 16, with its client", rate / cores, "calls/s/core", least=250)
