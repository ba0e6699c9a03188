"""Jobs with a real server, real cells and real clients, also when the server is killed in the middle."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.system.job_workspace import Client, let_go, make, serve
from toolcell.v1 import error_reason_pb2 as reasons
from toolcell.v1 import job_pb2
from toolcell.v1.trace_pb2 import State

PENDING, RUNNING = State.STATE_PENDING, State.STATE_RUNNING
SUCCEEDED, FAILED, CANCELLED = State.STATE_SUCCEEDED, State.STATE_FAILED, State.STATE_CANCELLED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    with serve(folder), Client(folder) as made:
        yield made


def test_a_job_is_started_waited_for_and_answered(folder: Path, client: Client) -> None:
    job = client.start("unsafe", "a")
    assert job.state == RUNNING
    at_gate = client.at_the_gate(job)
    assert (at_gate.progress.fraction, at_gate.progress.message) == (0.5, "at the gate")
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(client.wait, job) for _ in range(3)]
        let_go(folder, "a")
        ended = [each.result() for each in asked]
    assert [each.state for each in ended] == [SUCCEEDED] * 3
    assert ended[0].output_json == '{"name":"a","attempt":1}'
    (attempt,) = client.attempts(job)
    assert (attempt.invocation_id, attempt.trace_id) == (job.invocation_id, job.trace_id)
    assert client.wait(job, 0) == ended[0]


def test_no_more_run_at_once_than_there_are_slots(folder: Path, client: Client) -> None:
    jobs = [client.start("safe", name) for name in "abcdef"]
    assert [job.state for job in jobs] == [RUNNING] * 2 + [PENDING] * 4
    for index, name in enumerate("abcdef"):
        client.at_the_gate(jobs[index])
        states = [client.get(job).state for job in jobs]
        assert states.count(RUNNING) <= 2
        assert sorted(states, key=[SUCCEEDED, RUNNING, PENDING].index) == states
        let_go(folder, name)
        assert client.wait(jobs[index]).state == SUCCEEDED


def test_a_waiting_job_a_running_one_and_a_stubborn_one_are_cancelled(client: Client) -> None:
    stubborn = client.start("unsafe", "never", stubborn=True)
    running, waits = client.start("unsafe", "never"), client.start("unsafe", "never")
    assert client.cancel(waits).state == CANCELLED
    client.at_the_gate(running)
    asked = client.cancel(running)
    assert asked.HasField("cancel_request_time")
    ended = client.wait(running)
    assert (ended.state, ended.failure.reason) == (CANCELLED, reasons.ERROR_REASON_CANCELLED)
    client.at_the_gate(stubborn)
    assert client.cancel(stubborn).state == RUNNING  # until SIGKILL
    ended = client.wait(stubborn)
    assert ended.state == CANCELLED
    assert (ended.end_time.ToMicroseconds() - ended.cancel_request_time.ToMicroseconds()) >= 2_000_000
    assert client.cancel(ended) == ended


def test_a_server_that_is_killed_loses_no_job(folder: Path) -> None:
    server = serve(folder)
    with Client(folder) as client:
        jobs = {(tool, name): client.start(tool, name) for tool in ("safe", "unsafe") for name in "abc"}
        for (_, name), job in jobs.items():
            if name != "c":
                client.at_the_gate(job)
        to_cancel = client.start("safe", "never")
        server.stop(signal.SIGKILL)
    let_go(folder, *"abc")
    with serve(folder), Client(folder) as client:
        for (tool, name), job in jobs.items():
            ended = client.wait(job)
            if tool == "unsafe" and name != "c":
                assert ended.failure.reason == reasons.ERROR_REASON_OUTCOME_UNKNOWN
                assert [each.interrupted for each in client.attempts(job)] == [True]
            else:
                assert ended.output_json == f'{{"name":"{name}","attempt":{1 if name == "c" else 2}}}'
                assert [each.attempt for each in client.attempts(job)] == ([1] if name == "c" else [2, 1])
        client.cancel(to_cancel)
        assert client.wait(to_cancel).state == CANCELLED


def test_what_was_acknowledged_is_never_lost(folder: Path) -> None:
    let_go(folder, "x")
    acknowledged: list[job_pb2.Job] = []
    enough = threading.Event()

    def keep_starting(client: Client, tool: str) -> None:
        try:
            while True:
                acknowledged.append(client.start(tool, "x"))
                if len(acknowledged) >= 60:
                    enough.set()
        except grpc.RpcError:
            return

    for _ in range(2):
        server = serve(folder)
        with Client(folder) as client, ThreadPoolExecutor() as pool:
            for tool in ("safe", "unsafe") * 4:
                pool.submit(keep_starting, client, tool)
            enough.wait()
            server.stop(signal.SIGKILL)
        enough.clear()
    with serve(folder), Client(folder) as client:
        for job in acknowledged:
            ended = client.wait(job)
            is_unknown = ended.failure.reason == reasons.ERROR_REASON_OUTCOME_UNKNOWN
            assert ended.state == SUCCEEDED or (job.tool == "unsafe" and is_unknown), ended
            attempts = client.attempts(job)
            assert job.tool == "safe" or len(attempts) <= 1
            assert not [each for each in attempts if not each.HasField("end_time")]


def test_a_server_that_is_stopped_hands_its_jobs_to_the_next(folder: Path) -> None:
    server = serve(folder)
    with Client(folder) as client:
        safe, unsafe = client.start("safe", "a"), client.start("unsafe", "b")
        for job in (safe, unsafe):
            client.at_the_gate(job)
        with ThreadPoolExecutor() as pool:
            stopped = pool.submit(server.stop)
            let_go(folder, "b")
            assert stopped.result() == 0
    let_go(folder, "a")
    with serve(folder), Client(folder) as client:
        assert client.get(unsafe).output_json == '{"name":"b","attempt":1}'
        assert client.wait(safe).output_json == '{"name":"a","attempt":2}'
