"""A thousand tools: listed quickly when warm, and without a thousand processes."""

import statistics
import time
from pathlib import Path

import grpc

from tests.bench.conftest import Report
from tests.bench.workspace import make, serve
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

TOOLS = 1000


def _list(stub: rpc.ToolServiceStub, metadata: tuple[tuple[str, str], ...]) -> tuple[int, float]:
    begun, count, page = time.perf_counter(), 0, ""
    while True:
        answer = stub.ListTools(pb.ListToolsRequest(page_size=1000, page_token=page), metadata=metadata)
        count += len(answer.tools)
        page = answer.next_page_token
        if not page:
            return count, (time.perf_counter() - begun) * 1000


def test_list_a_thousand_tools(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, TOOLS)) as server, grpc.insecure_channel(server.address) as channel:
        stub = rpc.ToolServiceStub(channel)
        report("start with 1,000 tools", server.took, "s")
        count, cold = _list(stub, server.metadata)
        assert count == TOOLS
        report("ListTools of 1,000 tools, cold", cold, "ms")
        warm = statistics.median(_list(stub, server.metadata)[1] for _ in range(20))
        report("processes the server started for 1,000 tools", server.children(), "", most=2)
        report("ListTools of 1,000 tools, warm", warm, "ms", most=50)
