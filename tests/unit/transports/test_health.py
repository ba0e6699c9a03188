"""Health of the server and its services needs no token; that of tools is for who may see their contracts."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.unit.transports.house import House, house, info, refusal, tool
from toolcell.model.caller import Grants
from toolcell.model.tool import Cause, Unavailable
from toolcell.transports.grpc import health

SERVICES = (
    "",
    "toolcell.v1.ToolService",
    "toolcell.v1.TraceService",
    "toolcell.v1.AdminService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
BROKEN = Unavailable(Cause.HANDLER_MISSING, "there is no handler")
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


async def check(served: House, service: str, metadata: Any = None) -> int:
    stub = HealthStub(served.channel)
    metadata = served.metadata if metadata is None else metadata
    answer = await stub.Check(HealthCheckRequest(service=service), metadata=metadata)
    return int(answer.status)


async def is_unknown(served: House, service: str, metadata: Any) -> bool:
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await check(served, service, metadata)
    return unknown.value.code() is grpc.StatusCode.NOT_FOUND


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


async def test_a_tool_serves_when_it_can_run_and_its_service_when_any_tool_of_it_can(served: House) -> None:
    served.serve(tool("echo"), tool("broken", BROKEN), tool("alone", BROKEN, path="/other.v1.Alone/Alone"))
    assert await check(served, "tool/echo") == SERVING
    assert await check(served, "tool/broken") == NOT_SERVING
    assert await check(served, "examples.v1.Tools") == SERVING
    assert await check(served, "other.v1.Alone") == NOT_SERVING


async def test_a_stranger_to_a_tool_does_not_learn_whether_it_exists(served: House) -> None:
    metadata = await served.token(tools=("search_*",))
    assert await check(served, "tool/search_customer", metadata) == SERVING
    assert await is_unknown(served, "tool/echo", metadata)
    assert await is_unknown(served, "tool/never", metadata)
    for name in ("tool/echo", "tool/never"):
        assert info(await refusal(check(served, name, ()))).reason == "TOKEN_MISSING"
    assert await is_unknown(served, "examples.v1.Tools", ())


async def test_an_open_server_tells_everybody(tmp_path: Path) -> None:
    async with house(tmp_path, reflection="open") as served:
        assert await check(served, "tool/echo", ()) == SERVING
        assert await is_unknown(served, "tool/never", ())


async def test_a_watch_hears_of_reloads_and_of_the_end(served: House) -> None:
    watch = HealthStub(served.channel).Watch(HealthCheckRequest(service="tool/new"), metadata=served.metadata)
    assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    served.serve(tool("new", BROKEN))
    assert (await watch.read()).status == NOT_SERVING
    served.serve(tool("new"))
    assert (await watch.read()).status == SERVING
    served.serve(tool("new"), tool("other"))  # nothing to tell
    served.server._health.drain()
    assert (await watch.read()).status == NOT_SERVING
    watch.cancel()


async def test_a_watch_ends_with_its_token(served: House) -> None:
    grants = Grants(frozenset({"invoke"}), ("*",))
    token, bearer = await served.services.tokens.create("ada", "", grants, None)
    metadata = (("authorization", f"Bearer {bearer}"),)
    watch = HealthStub(served.channel).Watch(HealthCheckRequest(service="tool/echo"), metadata=metadata)
    assert (await watch.read()).status == SERVING
    await served.services.tokens.revoke(token.token_id)
    served.serve(tool("echo", BROKEN))
    assert info(await refusal(watch.read())).reason == "TOKEN_REVOKED"
