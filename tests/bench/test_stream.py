"""The stream of events: how soon a hundred readers have an event, and what bad readers cost the calls."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.conftest import Report
from tests.bench.workspace import Running, make, serve
from toolcell.v1 import tool_service_pb2 as pb
from toolcell.v1 import tool_service_pb2_grpc as rpc

REQUEST = pb.InvokeRequest(tool="add0", arguments_json='{"a": 2, "b": 3}')
HERE = Path(__file__).parent
PROCESSES, READERS = 2, 100
CALLS, APART_SECONDS = 200, 0.03
ROUNDS, ROUND_CALLS, FILL_CALLS = 6, 200, 250


@contextmanager
def readers(address: str, bearer: str, good: int, stopped: int = 0, slow: int = 0) -> Iterator[list[float]]:
    """Has a process read; the list is filled with the good readers' milliseconds when the context ends."""
    command = [sys.executable, str(HERE / "readers.py"), address, bearer, str(good), str(stopped), str(slow)]
    taken: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield taken
        said, _ = process.communicate()
        taken += json.loads(said)


def bearer(server: Running) -> str:
    """Returns the dev server's key."""
    return server.metadata[0][1].removeprefix("Bearer ")


def calls(server: Running, count: int, apart_seconds: float = 0.0) -> list[float]:
    """Calls one after the other; returns how long each took, in milliseconds."""
    taken = []
    with server.channel() as channel:
        stub = rpc.ToolServiceStub(channel)
        for _ in range(count):
            begun = time.perf_counter()
            assert stub.Invoke(REQUEST, metadata=server.metadata).output_json
            taken.append((time.perf_counter() - begun) * 1e3)
            time.sleep(apart_seconds)
    return taken


def floor() -> list[float]:
    """Returns the milliseconds that a bare server's messages need to as many readers."""
    command = [sys.executable, str(HERE / "fan_out.py"), str(READERS), str(CALLS), str(APART_SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = f"127.0.0.1:{process.stdout.readline().strip()}"
        half = READERS // PROCESSES
        with readers(address, "", half) as one, readers(address, "", half) as two:
            assert process.stdout.readline() == "done\n"
        process.kill()
    return one + two


def p99(values: list[float]) -> float:
    """Returns what 99 of a hundred stay below."""
    return statistics.quantiles(values, n=100)[98]


def test_a_hundred_readers_have_an_event_soon(tmp_path: Path, report: Report) -> None:
    bare, half = floor(), READERS // PROCESSES
    with serve(make(tmp_path, 1)) as server:
        calls(server, 50)
        with (
            readers(server.address, bearer(server), half) as one,
            readers(server.address, bearer(server), half) as two,
        ):
            calls(server, CALLS, APART_SECONDS)
    taken = one + two
    assert len(taken) == READERS * CALLS * 2  # started and ended
    ours, name = p99(taken), "StreamTrace, 100 readers, event to reader"
    report(f"{name}, p50", statistics.median(taken), "ms", floor=statistics.median(bare))
    report(f"{name}, p99, against a bare server", ours, "ms", floor=p99(bare))
    report(f"{name}, p99", ours, "ms", most=10)


def test_bad_readers_cost_the_calls_nothing(tmp_path: Path, report: Report) -> None:
    with serve(make(tmp_path, 1)) as server:
        calls(server, 100)
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += calls(server, ROUND_CALLS)
            with readers(server.address, bearer(server), 0, stopped=10, slow=10):
                calls(server, FILL_CALLS)  # fills what the readers' side takes unread
                beside += calls(server, ROUND_CALLS)
    name = "Invoke beside 20 bad readers"
    report(f"{name}, p50", statistics.median(beside), "ms", floor=statistics.median(alone))
    report(f"{name}, p99", p99(beside), "ms", floor=p99(alone), most=1.5)
