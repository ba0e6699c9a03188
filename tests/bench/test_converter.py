"""Arguments in and answers out in microseconds, beside google's own parser, and whole manifests."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format, message_factory

from tests.bench.conftest import Report
from tests.bench.workspace import make, serve
from tests.contracts.workspace import contract
from toolcell.contracts import dialects
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

TOOLS = 1000
ORDINARY = {
    "text": "What the customer wrote. " * 8,
    "flag": True,
    "i32": 7,
    "i64": "9007199254740993",
    "real": 2.5,
    "color": "COLOR_RED",
    "texts": ["one", "two", "three"] * 4,
    "inner": {"name": "outer", "parts": [{"name": f"part {at}"} for at in range(12)]},
    "by_text": {f"key {at}": "value" for at in range(8)},
    "moment": "2026-01-31T12:00:00Z",
    "span": "1.500s",
    "city": "Bern",
}
RULED = {
    "needed": "abc",
    "email": "ada@example.com",
    "agreed": True,
    "tags": ["a", "b"],
    "wanted": ["w" * 60] * 8,
    "part": {"code": "AB", "weight": 1},
    "parts": [{"code": "AB", "weight": at + 1} for at in range(10)],
    "by_name": "x",
}


def median(work: Callable[[], object], rounds: int = 400) -> float:
    """Returns how long the work takes, in microseconds."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


@pytest.mark.parametrize(("tool", "instance"), [("echo_everything", ORDINARY), ("check_rules", RULED)])
def test_convert_a_kilobyte(report: Report, tool: str, instance: dict[str, object]) -> None:
    entry, text = contract(tool), json.dumps(instance)
    canonical = entry.decode(text)
    answer = json.loads(canonical)
    made = message_factory.GetMessageClass(entry.input)
    pool = entry.definitions.pool
    theirs = median(lambda: json_format.Parse(text, made(), descriptor_pool=pool))
    message = json_format.Parse(text, made(), descriptor_pool=pool)
    printed = median(lambda: json_format.MessageToJson(message, descriptor_pool=pool))
    sizes = f"{len(text)} bytes of {tool}"
    taken = median(lambda: entry.decode(text))
    report(f"decode and validate {sizes}, to google's parsing", taken, "µs", floor=theirs, most=1.5)
    taken = median(lambda: entry.encode(answer))
    report(f"encode and validate {sizes}, to google's printing", taken, "µs", floor=printed, most=3)
    for name in ("openai-chat-strict", "gemini-schema"):
        dialect = dialects.find(name)
        sent = dialect.encode(entry, canonical)
        taken = median(lambda d=dialect, s=sent: d.decode(entry, s))  # type: ignore[misc] # bound at once
        report(f"decode and validate it from {name}", taken, "µs")


def test_a_manifest_of_a_thousand_tools(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, TOOLS)) as server, grpc.insecure_channel(server.address) as channel:
        stub = rpc.ToolServiceStub(channel)

        def get() -> float:
            begun = time.perf_counter()
            request = pb.GetManifestRequest(dialect="anthropic-strict")
            answer = stub.GetManifest(request, metadata=server.metadata)
            assert len(answer.verdicts) == TOOLS
            return (time.perf_counter() - begun) * 1000

        report("GetManifest of 1,000 tools, cold", get(), "ms", most=1000)
        report("GetManifest of 1,000 tools, warm", statistics.median(get() for _ in range(20)), "ms")
