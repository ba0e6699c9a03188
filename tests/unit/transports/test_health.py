"""Health needs no token: for the server, and for each of its services."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.unit.transports.house import House, house, info, refusal
from toolcell.transports.grpc import health

SERVICES = ("", "toolcell.v1.ToolService", "toolcell.v1.TraceService", "toolcell.v1.AdminService")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_serves(served: House, service: str) -> None:
    answer = await HealthStub(served.channel).Check(HealthCheckRequest(service=service))
    assert answer.status == HealthCheckResponse.SERVING


async def test_a_service_that_does_not_exist_is_not_found(served: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await HealthStub(served.channel).Check(HealthCheckRequest(service="x"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert served.log == []


async def test_bytes_that_are_no_request_are_refused(served: House) -> None:
    for body in (b"\xff\xff", HealthCheckRequest(service="x" * 256).SerializeToString()):
        error = await refusal(served.raw("/grpc.health.v1.Health/Check", body, metadata=()))
        assert info(error).reason == "REQUEST_INVALID"


async def watched(served: House, body: bytes) -> None:
    watch: Any = served.channel.unary_stream("/grpc.health.v1.Health/Watch")
    async for _ in watch(body):
        pass


async def test_a_watch_for_no_request_is_refused(served: House) -> None:
    assert info(await refusal(watched(served, b"\xff\xff"))).reason == "REQUEST_INVALID"


async def test_watchers_are_bounded_apart_from_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_WATCHERS", 1)
    async with house(tmp_path, calls=1) as served:
        first = HealthStub(served.channel).Watch(HealthCheckRequest())
        assert (await first.read()).status == HealthCheckResponse.SERVING
        assert info(await refusal(watched(served, b""))).reason == "SERVER_OVERLOADED"
        assert await served.raw("/toolcell.v1.ToolService/ListTools")
        first.cancel()
