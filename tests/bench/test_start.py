"""Memory at rest, the time to the first answer, and the command line."""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.conftest import Report
from tests.bench.workspace import make, serve
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

MIB = 1 << 20


def test_start_to_first_answer_and_memory_at_rest(tmp_path: Path, report: Report) -> None:
    begun = time.perf_counter()
    with serve(make(tmp_path, 5)) as server, server.channel() as channel:
        stub = rpc.ToolServiceStub(channel)
        request = pb.InvokeRequest(tool="add0", arguments_json='{"a": 2, "b": 3}')
        assert stub.Invoke(request, metadata=server.metadata).output_json
        report("start to first answered call", time.perf_counter() - begun, "s", most=2)
        for n in range(5):
            request.tool = f"add{n}"
            stub.Invoke(request, metadata=server.metadata)
        report("server at rest, five tools used", server.memory() / MIB, "MiB", most=120)


def test_version(report: Report) -> None:
    command = str(Path(sys.executable).with_name("toolcell"))

    def best(*arguments: str) -> float:
        taken = []
        for _ in range(10):
            begun = time.perf_counter()
            subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - begun)
        return sorted(taken)[5] * 1000

    floor = best(sys.executable, "-c", "pass")
    ours = best(command, "--version")
    report("toolcell --version, against python -c pass", ours, "ms", floor=floor)
    report("toolcell --version", ours, "ms", most=150)
