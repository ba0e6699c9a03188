"""SIGTERM to a real server with a call in flight: it waits, then says what became of the call."""

import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.conformance.transport import workspace
from tests.conformance.transport.doors import Result, Site, result
from tests.system.dev_server import PROGRAMS, Server
from toolcell.v1.tool_service_pb2 import InvokeRequest
from toolcell.v1.trace_pb2 import STATE_RUNNING
from toolcell.v1.trace_service_pb2 import InvocationFilter, ListInvocationsRequest


def serve(folder: Path, grace: str) -> Server:
    command = [str(PROGRAMS / "toolcell"), "dev", "--grpc", "127.0.0.1:0"]
    return Server(command, workspace.make(folder), TOOLCELL_DRAIN_GRACE=grace)


def site(folder: Path) -> Site:
    state = folder / ".toolcell"
    return Site((state / "address").read_text().strip(), (state / "dev.key").read_text().strip(), "")


def start_waiting(it: Site) -> Any:
    """Starts a call that would run for minutes, and returns when its handler runs."""
    call = it.tools.Invoke.future(InvokeRequest(tool="wait"), metadata=it.metadata())
    running = ListInvocationsRequest(filter=InvocationFilter(tool="wait", state=STATE_RUNNING))
    while not it.traces.ListInvocations(running, metadata=it.metadata()).invocations:
        assert not call.done(), call.exception()
    return call


def test_a_call_that_outlasts_the_grace_is_cancelled_and_told(tmp_path: Path) -> None:
    with serve(tmp_path, "0.1s") as server, site(tmp_path) as it:
        call = start_waiting(it)
        assert server.stop() == 0
        assert result(call.result).reason == "CANCELLED"


def test_new_calls_are_refused_while_others_finish(tmp_path: Path) -> None:
    with serve(tmp_path, "60s") as server, site(tmp_path) as it:
        call = start_waiting(it)
        server._process.send_signal(signal.SIGTERM)
        for answer in HealthStub(it.channel).Watch(HealthCheckRequest()):
            if answer.status == HealthCheckResponse.NOT_SERVING:
                break
        told: Result = result(lambda: it.tools.Invoke(InvokeRequest(tool="echo"), metadata=it.metadata()))
        assert told.reason == "SERVER_DRAINING"
        assert server.stop() == 0  # a second signal cuts the draining short
        assert result(call.result).reason == "CANCELLED"
        with pytest.raises(grpc.RpcError):
            HealthStub(it.channel).Check(HealthCheckRequest())
