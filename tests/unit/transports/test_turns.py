"""A turn is answered whole, in order and in the provider's words, whatever becomes of a single call."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.unit.transports.house import House, fields, house, info, refusal
from toolcell.model.call import Call, Outcome
from toolcell.model.errors import Failure, InputInvalid, Reason, Violation
from toolcell.transports.grpc.turns import AT_ONCE, MOST_CALLS
from toolcell.v1 import tool_service_pb2 as v1


def turn(*calls: tuple[str, Any], **parts: Any) -> v1.RunToolCallsRequest:
    blocks = [
        {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": arguments}
        for at, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": blocks}
    return v1.RunToolCallsRequest(**{"dialect": "anthropic", "message_json": json.dumps(message), **parts})


async def run(open_house: House, request: v1.RunToolCallsRequest) -> tuple[list[Any], list[str]]:
    answer = await open_house.tools.RunToolCalls(request, metadata=open_house.metadata, timeout=30)
    messages = json.loads(answer.results_json)
    return (messages[0]["content"] if messages else []), list(answer.invocation_ids)


async def test_calls_run_side_by_side_and_are_answered_in_order(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        begun = [asyncio.Event() for _ in range(3)]

        async def last_first(call: Call) -> Outcome:
            at = json.loads(call.question.arguments_json)["at"]
            if at + 1 < len(begun):
                await begun[at + 1].wait()
            begun[at].set()
            return Outcome(call.question.arguments_json)

        open_house.run = last_first
        request = turn(*(("echo", {"at": at}) for at in range(3)), labels={"session": "1"})
        blocks, ids = await run(open_house, request)
        assert [json.loads(block["content"])["at"] for block in blocks] == [0, 1, 2]
        assert [block["tool_use_id"] for block in blocks] == ["toolu_0", "toolu_1", "toolu_2"]
        by_id = {call.question.tool_call_id: call for call in open_house.calls}
        assert ids == [by_id[f"toolu_{at}"].record.invocation_id for at in range(3)]
        assert all(call.question.labels == {"session": "1"} for call in open_house.calls)
        assert all(call.question.dialect == "anthropic" for call in open_house.calls)


async def test_one_call_that_is_refused_or_fails_does_not_fail_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:

        async def each(call: Call) -> Outcome:
            if call.question.tool == "refuse":
                raise InputInvalid(violations=[Violation("a", "must be b")])
            if call.question.tool == "fail":
                return Outcome(failure=Failure(Reason.TOOL_ERROR, "Not today."))
            return Outcome("{}")

        open_house.run = each
        blocks, ids = await run(open_house, turn(("refuse", {}), ("fail", {}), ("x" * 65, {}), ("echo", {})))
        assert [block.get("is_error", False) for block in blocks] == [True, True, True, False]
        assert "a: must be b" in blocks[0]["content"]
        assert blocks[1]["content"] == "Not today."
        assert len(ids) == 4


async def test_only_so_many_calls_run_at_once(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        running, most = 0, 0

        async def count(_: Call) -> Outcome:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _turn in range(3):
                await asyncio.sleep(0)
            running -= 1
            return Outcome("{}")

        open_house.run = count
        blocks, _ = await run(open_house, turn(*[("echo", {})] * (2 * AT_ONCE)))
        assert (len(blocks), most) == (2 * AT_ONCE, AT_ONCE)


async def test_a_turn_without_calls_has_no_results(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        assert await run(open_house, turn()) == ([], [])


@pytest.mark.parametrize(
    ("request_", "reason", "where"),
    [
        (v1.RunToolCallsRequest(), "REQUEST_INVALID", ["dialect", "message_json"]),
        (turn(dialect="klingon"), "DIALECT_UNKNOWN", []),
        (turn(message_json="nonsense"), "REQUEST_INVALID", ["message_json"]),
        (turn(message_json='[{"type":"tool_use"}]'), "REQUEST_INVALID", ["message_json[0].name"]),
        (turn(*[("echo", {})] * (MOST_CALLS + 1)), "REQUEST_INVALID", ["message_json"]),
        (turn(labels={"A": ""}), "REQUEST_INVALID", ["labels"]),
    ],
)
async def test_a_wrong_request_runs_nothing(
    tmp_path: Path, request_: v1.RunToolCallsRequest, reason: str, where: list[str]
) -> None:
    async with house(tmp_path) as open_house:
        error = await refusal(open_house.tools.RunToolCalls(request_, metadata=open_house.metadata))
        assert (info(error).reason, fields(error)) == (reason, where)
        assert open_house.calls == []


async def test_a_stranger_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        error = await refusal(open_house.tools.RunToolCalls(turn(("echo", {}))))
        assert info(error).reason == "TOKEN_MISSING"
        metadata = await open_house.token("traces")
        error = await refusal(open_house.tools.RunToolCalls(turn(("echo", {})), metadata=metadata))
        assert info(error).reason == "RPC_FORBIDDEN"


async def test_answers_beyond_what_a_client_takes_are_left_out_in_words(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:

        async def large(_: Call) -> Outcome:
            return Outcome(json.dumps({"text": "x" * (2 << 20)}))

        open_house.run = large
        blocks, _ = await run(open_house, turn(("echo", {}), ("echo", {})))
        assert [block.get("is_error", False) for block in blocks] == [False, True]
        assert "left out" in blocks[1]["content"]


async def test_who_goes_away_has_every_call_cancelled(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        gone, begun = asyncio.Event(), asyncio.Barrier(3)

        async def forever(_: Call) -> Outcome:
            await begun.wait()
            try:
                return await asyncio.Future()
            finally:
                gone.set()

        open_house.run = forever
        call = open_house.tools.RunToolCalls(turn(("echo", {}), ("echo", {})), metadata=open_house.metadata)
        waiting = asyncio.ensure_future(call)
        await begun.wait()
        call.cancel()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await waiting
        await gone.wait()


async def test_what_is_in_flight_when_the_grace_ends_is_told_call_by_call(tmp_path: Path) -> None:
    async with house(tmp_path) as open_house:
        begun = asyncio.Event()

        async def one_of_two(call: Call) -> Outcome:
            if call.question.tool == "quick":
                return Outcome("{}")
            begun.set()
            return await asyncio.Future()

        open_house.run = one_of_two
        answer = asyncio.ensure_future(run(open_house, turn(("quick", {}), ("slow", {}))))
        await begun.wait()
        await open_house.server.drain(0)
        blocks, _ = await answer
        assert [block.get("is_error", False) for block in blocks] == [False, True]
