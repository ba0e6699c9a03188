"""Every method of the contract has a door, and every door asks who is there before anything else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.unit.transports.house import House, info, refusal
from toolcell.transports.grpc import doors
from toolcell.v1 import admin_service_pb2, tool_service_pb2, trace_service_pb2

GROUPS = {
    "/toolcell.v1.ToolService/ListTools": "invoke",
    "/toolcell.v1.ToolService/GetTool": "invoke",
    "/toolcell.v1.ToolService/GetManifest": "invoke",
    "/toolcell.v1.ToolService/Invoke": "invoke",
    "/toolcell.v1.ToolService/RunToolCalls": "invoke",
    "/toolcell.v1.TraceService/GetInvocation": "traces",
    "/toolcell.v1.TraceService/ListInvocations": "traces",
    "/toolcell.v1.TraceService/StreamTrace": "traces",
    "/toolcell.v1.AdminService/CreateToken": "admin",
    "/toolcell.v1.AdminService/ListTokens": "admin",
    "/toolcell.v1.AdminService/RevokeToken": "admin",
    "/toolcell.v1.AdminService/ReloadTools": "admin",
}
NOT_A_MESSAGE = b"\xff\xff"


def test_the_table_names_every_method_of_the_contract() -> None:
    services = [
        service
        for file in (tool_service_pb2, trace_service_pb2, admin_service_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    ]
    assert set(GROUPS) == {f"/{s.full_name}/{m.name}" for s in services for m in s.methods}


@pytest.mark.parametrize("path", GROUPS)
async def test_a_stranger_is_refused_before_its_bytes_are_looked_at(served: House, path: str) -> None:
    error = await refusal(served.raw(path, NOT_A_MESSAGE, metadata=()))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert info(error).reason == "TOKEN_MISSING"


@pytest.mark.parametrize(("path", "group"), GROUPS.items())
async def test_a_method_needs_its_group_and_no_other(served: House, path: str, group: str) -> None:
    others = {"invoke", "traces", "traces.all", "admin"} - {group}
    error = await refusal(served.raw(path, NOT_A_MESSAGE, metadata=await served.token(*others)))
    assert info(error).reason == "RPC_FORBIDDEN"
    assert info(error).metadata["group"] == group
    error = await refusal(served.raw(path, NOT_A_MESSAGE, metadata=await served.token(group)))
    assert info(error).reason == "REQUEST_INVALID"


@pytest.mark.parametrize("path", GROUPS)
async def test_a_request_over_the_limit_is_refused_at_every_door(served: House, path: str) -> None:
    error = await refusal(served.raw(path, b"\0" * ((4 << 20) + 1)))
    assert info(error).reason == "INPUT_TOO_LARGE"


@pytest.mark.parametrize("path", GROUPS)
async def test_a_request_without_a_message_is_refused_at_every_door(served: House, path: str) -> None:
    async def nothing() -> None:
        call: Any = served.channel.stream_unary(path)
        await call(iter(()), metadata=served.metadata)

    assert info(await refusal(nothing())).reason == "REQUEST_INVALID"


async def test_a_request_whose_message_does_not_come_is_refused_in_time(
    served: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "BODY_SECONDS", 0.01)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def silent() -> None:
        call: Any = served.channel.stream_unary("/toolcell.v1.ToolService/ListTools")
        await call(never(), metadata=served.metadata)

    error = await refusal(silent())
    assert info(error).reason == "REQUEST_INVALID"
    assert "did not come in time" in (error.details() or "")


@pytest.mark.parametrize(
    "path", ["/toolcell.v1.ToolService/Invok", "/x", "/grpc.reflection.v1.ServerReflection/Info"]
)
async def test_a_path_that_is_not_served_is_not_told_to_strangers(served: House, path: str) -> None:
    assert info(await refusal(served.raw(path, metadata=()))).reason == "TOKEN_MISSING"
    error = await refusal(served.raw(path))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert info(error).reason == "METHOD_NOT_FOUND"
    assert info(error).metadata["method"] == path


async def test_a_near_path_is_suggested(served: House) -> None:
    error = await refusal(served.raw("/toolcell.v1.ToolService/ListTool"))
    assert "Did you mean /toolcell.v1.ToolService/ListTools?" in (error.details() or "")


async def test_a_stream_to_a_path_that_is_not_served_is_refused_too(served: House) -> None:
    async def stream() -> None:
        call: Any = served.channel.stream_stream("/x/y")
        async for _ in call(iter(()), metadata=served.metadata):
            pass

    assert info(await refusal(stream())).reason == "METHOD_NOT_FOUND"


async def test_any_group_may_ask_for_a_path_that_is_not_served(served: House) -> None:
    error = await refusal(served.raw("/x/y", metadata=await served.token("traces")))
    assert info(error).reason == "METHOD_NOT_FOUND"
