"""A tool's own typed method against the generic Invoke of the same tool, in turns on one connection."""

import statistics
from pathlib import Path
from typing import Any

from tests.bench.conftest import Report
from tests.bench.test_calls import REQUEST, times
from tests.bench.workspace import make, serve
from toolcell.v1 import tool_service_pb2_grpc as rpc

PAIRS = 1000
ARGUMENTS, ANSWER = b"\x08\x02\x10\x03", b"\x08\x05"
"""AddRequest(a=2, b=3) and AddResponse(sum=5)."""


def test_native_is_not_slower_than_invoke(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, 1)) as server, server.channel() as channel:
        stub = rpc.ToolServiceStub(channel)
        typed: Any = channel.unary_unary("/bench.v1.BenchService/Add0")

        def invoke() -> None:
            assert stub.Invoke(REQUEST, metadata=server.metadata).output_json == '{"sum":5}'

        def native() -> None:
            assert typed(ARGUMENTS, metadata=server.metadata) == ANSWER

        times(invoke, 50)
        times(native, 50)
        generic, ours = [], []
        for _ in range(PAIRS):
            generic += times(invoke, 1)
            ours += times(native, 1)
    floor = statistics.median(generic)
    report(
        "native call, concurrency 1, p50, against Invoke",
        statistics.median(ours),
        "µs",
        floor=floor,
        most=1.1,
    )
