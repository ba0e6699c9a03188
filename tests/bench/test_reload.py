"""From the save of a handler to the first call that the new revision answers, in `toolcell dev`."""

import statistics
import time
from pathlib import Path

from tests.bench.conftest import Report
from tests.bench.workspace import make, serve
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

ROUNDS = 15
TOOLS = 20
SOURCE = "def handler(arguments, cell):\n    return {{'sum': {0}}}\n"


def test_save_to_served(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, TOOLS)) as server, server.channel() as channel:
        stub = rpc.ToolServiceStub(channel)
        handler = tmp_path / "handlers/add0/handler.py"

        def answer() -> str:
            request = pb.InvokeRequest(tool="add0", arguments_json='{"a": 2, "b": 3}')
            return stub.Invoke(request, metadata=server.metadata).output_json

        assert answer() == '{"sum":5}'
        taken = []
        for number in range(100, 100 + ROUNDS):
            wanted = f'{{"sum":{number}}}'
            begun = time.perf_counter()
            handler.write_text(SOURCE.format(number))
            while answer() != wanted:
                time.sleep(0.002)  # the loop of a caller must not be what is measured
            taken.append((time.perf_counter() - begun) * 1000)
    report("save of a handler to its first answer, p50", statistics.median(taken), "ms", most=300)
    report("save of a handler to its first answer, slowest", max(taken), "ms")
