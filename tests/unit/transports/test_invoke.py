"""Invoke: a request becomes a call, and what came of it an answer in the form of the question."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from tests.unit.transports.house import House, fields, info, refusal
from toolcell.model.call import Call, Outcome
from toolcell.model.errors import (
    HandlerCrashed,
    InputInvalid,
    QueueFull,
    ToolDeclaredError,
    Violation,
)
from toolcell.v1 import error_reason_pb2, tool_pb2
from toolcell.v1.tool_service_pb2 import InvokeRequest

INVOKE = "/toolcell.v1.ToolService/Invoke"
EXACT = '{"n": 12345678901234567890.0123456789, "s": "\\u00e9"}'


async def test_json_text_is_passed_on_untouched_and_answered_as_json_text(served: House) -> None:
    request = InvokeRequest(tool="echo", arguments_json=EXACT, tool_call_id="call_1", labels={"env": "test"})
    answer = await served.tools.Invoke(request, metadata=served.metadata)
    assert answer.output_json == EXACT
    (call,) = served.calls
    assert call.question.tool_call_id == "call_1"
    assert call.question.labels == {"env": "test"}
    assert answer.invocation_id == call.record.invocation_id
    assert answer.duration.ToMicroseconds() == 1500


async def test_a_struct_is_answered_as_a_struct(served: House) -> None:
    arguments = Struct()
    arguments.update({"count": 5, "ratio": 0.5, "deep": [{"a": None}, True, "é"], "none": {}})
    answer = await served.tools.Invoke(
        InvokeRequest(tool="echo", arguments=arguments), metadata=served.metadata
    )
    assert answer.output == arguments
    assert json.loads(served.calls[0].question.arguments_json) == {
        "count": 5, "ratio": 0.5, "deep": [{"a": None}, True, "é"], "none": {},
    }  # fmt: skip
    assert served.calls[0].question.arguments_json.startswith('{"count":5,"deep":')


@pytest.mark.parametrize(
    "request_", [InvokeRequest(tool="echo"), InvokeRequest(tool="echo", arguments_json="")]
)
async def test_no_arguments_are_an_empty_object(served: House, request_: InvokeRequest) -> None:
    answer = await served.tools.Invoke(request_, metadata=served.metadata)
    assert answer.output_json == "{}"


@pytest.mark.parametrize("text", ["[1]", '"a"', '{"a":' * 80 + "1" + "}" * 80])
async def test_an_output_that_no_struct_can_hold_is_json_text(served: House, text: str) -> None:
    async def run(call: Call) -> Outcome:
        return Outcome(text)

    served.run = run
    request = InvokeRequest(tool="echo", arguments=Struct())
    answer = await served.tools.Invoke(request, metadata=served.metadata)
    assert answer.output_json == text


async def test_a_failure_is_an_outcome_of_an_ok_answer(served: House) -> None:
    async def run(call: Call) -> Outcome:
        details = {"order": 7, "big": 2**60}
        return Outcome(failure=ToolDeclaredError("No such order.", tool="echo", details=details).failure())

    served.run = run
    answer = await served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata)
    assert answer.WhichOneof("outcome") == "failure"
    failure = answer.failure
    assert failure.reason == error_reason_pb2.ERROR_REASON_TOOL_ERROR
    assert failure.message == "No such order."
    assert dict(failure.details.items()) == {"order": 7, "big": str(2**60)}
    assert (failure.retryable, failure.executed, failure.attempt) == (False, tool_pb2.EXECUTED_YES, 1)


async def test_a_failure_without_details_shows_its_metadata(served: House) -> None:
    async def run(call: Call) -> Outcome:
        return Outcome(failure=HandlerCrashed(tool="echo", exit=1).failure())

    served.run = run
    answer = await served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata)
    assert dict(answer.failure.details.items()) == {"tool": "echo", "exit": "1"}


async def test_a_refusal_is_a_status_that_names_the_record(served: House) -> None:
    async def run(call: Call) -> Outcome:
        raise InputInvalid(
            violations=[Violation("query", "must not be empty", "string.min_len")], tool="echo"
        )

    served.run = run
    error = await refusal(served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(error).reason == "INPUT_INVALID"
    assert fields(error) == ["query"]
    trailers = dict(error.trailing_metadata() or ())
    assert trailers["toolcell-invocation-id"] == served.calls[0].record.invocation_id


async def test_a_limit_says_when_to_come_back(served: House) -> None:
    async def run(call: Call) -> Outcome:
        raise QueueFull("busy", tool="echo", limit=64, retry_after=2.0)

    served.run = run
    error = await refusal(served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error).metadata["retry_after"].startswith("2")


async def test_a_bug_is_told_without_its_words(served: House) -> None:
    async def run(call: Call) -> Outcome:
        raise KeyError("a secret")

    served.run = run
    error = await refusal(served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata))
    assert info(error).reason == "INTERNAL_ERROR"
    assert "secret" not in str(error)
    assert info(error).metadata["request_id"] in served.log[0]


REFUSED = {
    "no tool": (InvokeRequest(), ["tool"]),
    "a long tool": (InvokeRequest(tool="x" * 65), ["tool"]),
    "a long id": (InvokeRequest(tool="echo", tool_call_id="x" * 256), ["tool_call_id"]),
    "a control character": (InvokeRequest(tool="echo", tool_call_id="a\x1b[0m"), ["tool_call_id"]),
    "too many labels": (InvokeRequest(tool="echo", labels={f"k{n}": "" for n in range(17)}), ["labels"]),
    "a bad key": (InvokeRequest(tool="echo", labels={"Env": ""}), ["labels"]),
    "a long label": (InvokeRequest(tool="echo", labels={"env": "x" * 256}), ["labels.env"]),
    "everything": (InvokeRequest(tool_call_id="\n", labels={"": ""}), ["tool", "tool_call_id", "labels"]),
}


@pytest.mark.parametrize(("request_", "paths"), REFUSED.values(), ids=REFUSED)
async def test_a_field_out_of_bounds_is_named(
    served: House, request_: InvokeRequest, paths: list[str]
) -> None:
    error = await refusal(served.tools.Invoke(request_, metadata=served.metadata))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info(error).reason == "REQUEST_INVALID"
    assert fields(error) == paths


async def test_a_number_that_is_not_json_is_named(served: House) -> None:
    request = InvokeRequest(tool="echo", arguments=Struct())
    request.arguments.fields["limit"].number_value = float("nan")
    error = await refusal(served.tools.Invoke(request, metadata=served.metadata))
    assert info(error).reason == "REQUEST_INVALID"
    assert fields(error) == ["arguments.limit"]


async def test_bytes_that_are_no_request_are_refused_after_their_sender_is_known(served: House) -> None:
    assert info(await refusal(served.raw(INVOKE, b"\xff\xff"))).reason == "REQUEST_INVALID"
    assert info(await refusal(served.raw(INVOKE, b"\xff\xff", metadata=()))).reason == "TOKEN_MISSING"


async def test_a_request_without_a_message_is_refused(served: House) -> None:
    async def nothing() -> None:
        call: Any = served.channel.stream_unary(INVOKE)
        await call(iter(()), metadata=served.metadata)

    assert info(await refusal(nothing())).reason == "REQUEST_INVALID"


async def test_a_request_over_the_limit_is_refused_with_both_sizes(served: House) -> None:
    request = InvokeRequest(tool="echo", arguments_json=" " * (4 << 20))
    error = await refusal(served.tools.Invoke(request, metadata=served.metadata))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error).reason == "INPUT_TOO_LARGE"
    assert info(error).metadata["limit"] == str(4 << 20)
    assert info(error).metadata["size"] == str(request.ByteSize())


async def test_two_tokens_are_none(served: House) -> None:
    twice = served.metadata * 2
    error = await refusal(served.tools.Invoke(InvokeRequest(tool="echo"), metadata=twice))
    assert info(error).reason == "TOKEN_MALFORMED"


async def test_the_callers_deadline_and_trace_reach_the_call(served: House) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    metadata = (*served.metadata, ("traceparent", parent))
    before = served.services.clock.monotonic()
    await served.tools.Invoke(InvokeRequest(tool="echo"), metadata=metadata, timeout=30)
    await served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata)
    first, second = served.calls
    assert first.traceparent == parent
    assert first.deadline is not None
    assert before + 20 < first.deadline < served.services.clock.monotonic() + 31
    assert (second.traceparent, second.deadline) == ("", None)


async def test_a_caller_that_goes_away_has_its_call_cancelled(served: House) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def run(call: Call) -> Outcome:
        began.set()
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            ended.set()

    served.run = run
    call = served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata)
    await began.wait()
    call.cancel()
    await ended.wait()


async def test_a_call_past_its_callers_deadline_is_cancelled(served: House) -> None:
    ended = asyncio.Event()

    async def run(call: Call) -> Outcome:
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            ended.set()

    served.run = run
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await served.tools.Invoke(InvokeRequest(tool="echo"), metadata=served.metadata, timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await ended.wait()
