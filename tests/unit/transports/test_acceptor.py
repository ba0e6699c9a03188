"""No stranger's bytes end the server, and no token is written to its log."""

import asyncio
import logging

import grpc
import pytest

from tests.unit.transports.house import House, by_hand, echo
from toolcell.model.call import Call, Outcome
from toolcell.v1.tool_service_pb2 import InvokeRequest, ListToolsRequest

NOT_UTF8 = b"/toolcell.v1.ToolService/\xff\xfe"


async def listed(served: House) -> None:
    """Lists the tools; a request that comes in the very moment of a crash is CANCELLED, not the next one."""
    while True:
        try:
            await served.tools.ListTools(
                ListToolsRequest(), metadata=served.metadata, wait_for_ready=True, timeout=30
            )
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.CANCELLED  # noqa: PT017 - or it went well
        else:
            return


async def test_a_path_that_is_not_utf8_ends_neither_the_server_nor_calls_in_flight(served: House) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def run(call: Call) -> Outcome:
        began.set()
        await go.wait()
        return await echo(call)

    served.run = run
    call = asyncio.ensure_future(served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata))
    await began.wait()
    for _ in range(3):
        await by_hand(served.port, NOT_UTF8)
        await listed(served)
    go.set()
    assert (await call).output_json == "{}"
    assert len(served.log) == 3
    assert all("is opened again" in line for line in served.log)


async def test_metadata_that_is_not_utf8_is_refused_and_not_logged(
    served: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await by_hand(
            served.port, b"/toolcell.v1.ToolService/ListTools", (b"authorization", b"Bearer tc_\xff")
        )
    assert b"grpc-status\x0216" in answer
    assert "tc_" not in caplog.text
    assert served.log == []
