"""Too much at once is refused with a reason; a drain lets calls finish, then tells those that could not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.unit.transports.house import House, Metadata, all_of, echo, house, info, refusal
from toolcell.model.call import Call, Outcome
from toolcell.model.errors import Cancelled, Executed
from toolcell.transports.grpc import traffic
from toolcell.v1 import error_reason_pb2
from toolcell.v1.tool_service_pb2 import InvokeRequest, InvokeResponse, ListToolsRequest

ECHO = InvokeRequest(tool="echo")


class Held:
    """A run that waits until it is let go, and says when it has begun."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, call: Call) -> Outcome:
        """Waits."""
        self.began.set()
        await self.go.wait()
        return await echo(call)


async def hold(served: House) -> tuple[Held, asyncio.Future[InvokeResponse]]:
    """Starts a call that stays in flight."""
    held = Held()
    served.run = held
    call = asyncio.ensure_future(invoke(served))
    await held.began.wait()
    return held, call


async def invoke(served: House) -> InvokeResponse:
    return await served.tools.Invoke(ECHO, metadata=served.metadata)


async def health(served: House, service: str = "") -> int:
    answer = await HealthStub(served.channel).Check(HealthCheckRequest(service=service))
    return int(answer.status)


async def drain_seen(served: House) -> None:
    """Waits until the server says that it drains."""
    watch = HealthStub(served.channel).Watch(HealthCheckRequest())
    async for answer in watch:
        if answer.status == HealthCheckResponse.NOT_SERVING:
            watch.cancel()
            return


async def test_too_many_in_flight_are_refused_and_may_be_sent_again(tmp_path: Path) -> None:
    async with house(tmp_path, calls=1) as served:
        held, call = await hold(served)
        error = await refusal(invoke(served))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert info(error).reason == "SERVER_OVERLOADED"
        assert all_of(error, details.RetryInfo)
        error = await refusal(served.tools.ListTools(ListToolsRequest(), metadata=served.metadata))
        assert info(error).reason == "SERVER_OVERLOADED"
        held.go.set()
        assert (await call).output_json == "{}"
        assert (await invoke(served)).output_json == "{}"


async def test_in_a_crowd_a_stranger_is_refused_before_its_body_is_read(
    served: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_CROWD", 1)
    held, call = await hold(served)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def ask(metadata: Metadata) -> None:
        silent: Any = served.channel.stream_unary("/toolcell.v1.ToolService/Invoke")
        await silent(never(), metadata=metadata)

    assert info(await refusal(ask(()))).reason == "TOKEN_MISSING"
    assert info(await refusal(ask((("authorization", "Bearer tc_dev_x"),)))).reason == "TOKEN_MALFORMED"
    held.go.set()
    assert (await call).output_json == "{}"


async def test_a_drain_refuses_new_calls_and_waits_for_those_in_flight(served: House) -> None:
    held, call = await hold(served)
    drain = asyncio.ensure_future(served.server.drain(60))
    await drain_seen(served)
    error = await refusal(invoke(served))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert info(error).reason == "SERVER_DRAINING"
    assert all_of(error, details.RetryInfo)
    listed = await served.tools.ListTools(ListToolsRequest(), metadata=served.metadata)
    assert len(listed.tools) == 2
    assert not drain.done()
    held.go.set()
    assert (await call).output_json == "{}"
    await drain
    with pytest.raises(grpc.aio.AioRpcError):
        await health(served)


async def begin(served: House, executed: Executed) -> asyncio.Future[InvokeResponse]:
    """Starts a call whose record is begun, and says CANCELLED once it is cancelled."""
    began = asyncio.Event()

    async def run(call: Call) -> Outcome:
        call.is_begun = True
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            call.record.failure = replace(Cancelled(tool="echo").failure(), executed=executed)
        return Outcome()

    served.run = run
    call = asyncio.ensure_future(invoke(served))
    await began.wait()
    return call


async def test_a_call_that_outlasts_the_grace_is_told_that_it_was_cancelled(served: House) -> None:
    call = await begin(served, Executed.MAYBE)
    await served.server.drain(0)
    assert (await call).failure.reason == error_reason_pb2.ERROR_REASON_CANCELLED


async def test_a_call_that_was_recorded_and_still_waited_may_be_sent_again(served: House) -> None:
    call = await begin(served, Executed.NO)
    await served.server.drain(0)
    assert info(await refusal(call)).reason == "SERVER_DRAINING"


async def test_a_call_that_had_not_begun_may_be_sent_again(served: House) -> None:
    _, call = await hold(served)
    await served.server.drain(0)
    assert info(await refusal(call)).reason == "SERVER_DRAINING"


async def test_a_second_drain_cuts_the_first_one_short(served: House) -> None:
    _, call = await hold(served)
    patient = asyncio.ensure_future(served.server.drain(60))
    await drain_seen(served)
    await served.server.drain(0)
    await patient
    assert info(await refusal(call)).reason == "SERVER_DRAINING"


async def test_a_tool_s_own_method_takes_no_new_call_while_the_server_drains(served: House) -> None:
    held, call = await hold(served)
    draining = asyncio.create_task(served.server.drain(10))
    await drain_seen(served)
    error = await refusal(served.raw("/examples.v1.Tools/echo"))
    assert (info(error).reason, info(error).metadata["executed"]) == ("SERVER_DRAINING", "NO")
    held.go.set()
    await call
    await draining


async def test_a_tool_s_own_method_that_is_cut_off_hears_why(served: House) -> None:
    """What had not begun by the end of the grace was not run."""
    served.run = held = Held()
    call = asyncio.ensure_future(refusal(served.raw("/examples.v1.Tools/echo")))
    await held.began.wait()
    await served.server.drain(0)
    assert info(await call).reason == "SERVER_DRAINING"
