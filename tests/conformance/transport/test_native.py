"""A tool's own method has the outcomes of Invoke; what its answer has no place for is status and metadata."""

import threading
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status

from tests.conformance.transport.doors import Result, Site, result, unpacked
from tests.conformance.transport.native import SERVICE, item, native, path, raw
from tests.conformance.transport.test_doors import EMPTY, ITEM
from toolcell.v1 import admin_pb2, admin_service_pb2
from toolcell.v1.tool_pb2 import EXECUTED_YES, Failure
from toolcell.v1.tool_service_pb2 import InvokeRequest
from toolcell.v1.trace_pb2 import Invocation
from toolcell.v1.trace_service_pb2 import GetInvocationRequest, InvocationFilter, ListInvocationsRequest


def record_of(site: Site, told: Result) -> Invocation:
    request = GetInvocationRequest(invocation_id=told.invocation_id)
    return site.traces.GetInvocation(request, metadata=site.metadata()).invocation


def token(site: Site, *tools: str, groups: tuple[str, ...] = ("invoke",)) -> str:
    grants = admin_pb2.Grants(groups=groups, tools=tools)
    request = admin_service_pb2.CreateTokenRequest(caller="bob", grants=grants)
    return str(site.admin.CreateToken(request, metadata=site.metadata()).bearer)


def status(site: Site, tool: str) -> tuple[grpc.StatusCode, Any]:
    with pytest.raises(grpc.RpcError) as failed:
        raw(site, path(tool), b"")
    call = cast("grpc.Call", failed.value)
    return call.code(), rpc_status.from_call(call)


def test_what_went_in_comes_out_with_every_field_and_is_recorded_like_an_invoke(site: Site) -> None:
    told = native(site, "echo", ITEM)
    assert told.output == ITEM | {"items": [EMPTY | {"name": "inner"}]}
    record = record_of(site, told)
    assert (record.tool, record.caller, record.revision != "") == ("echo", "dev", True)
    invoke = result(
        lambda: site.tools.Invoke(
            InvokeRequest(tool="echo", arguments_json=record.input_json), metadata=site.metadata()
        )
    )
    twin = record_of(site, invoke)
    assert (twin.input_json, twin.output_json) == (record.input_json, record.output_json)
    assert native(site, "echo", {}).output == EMPTY


@pytest.mark.parametrize(
    ("tool", "reason", "code"),
    [
        ("decline", "TOOL_ERROR", "FAILED_PRECONDITION"),
        ("miss", "TOOL_ERROR", "NOT_FOUND"),
        ("pretend", "TOOL_ERROR", "FAILED_PRECONDITION"),
        ("crash", "HANDLER_CRASHED", "UNKNOWN"),
        ("lie", "OUTPUT_INVALID", "UNKNOWN"),
        ("linger", "HANDLER_TIMEOUT", "DEADLINE_EXCEEDED"),
    ],
)
def test_a_failure_is_a_status_with_its_reason_and_the_whole_failure(
    site: Site, tool: str, reason: str, code: str
) -> None:
    got, found = status(site, tool)
    assert got.name == code
    (info,) = unpacked(found, details.ErrorInfo)
    (failure,) = unpacked(found, Failure)
    assert (info.reason, info.metadata["origin"]) == (reason, "tool")
    assert failure.message == found.message
    told = native(site, tool, {})
    assert told.reason == reason
    assert record_of(site, told).failure.message == failure.message


def test_a_handler_s_own_details_are_in_the_failure(site: Site) -> None:
    _, found = status(site, "decline")
    (failure,) = unpacked(found, Failure)
    assert failure.details["item"] == 7
    assert failure.executed == EXECUTED_YES
    (info,) = unpacked(status(site, "miss")[1], details.ErrorInfo)
    assert info.metadata["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"count": -1, "name": "x" * 1001}, {"name", "count"}),
        ({"items": [{"count": 1}, {"count": -1}]}, {"items[1].count"}),
    ],
)
def test_rules_are_held_and_every_violation_is_told(
    site: Site, arguments: dict[str, Any], fields: set[str]
) -> None:
    told = native(site, "echo", arguments)
    assert (told.reason, set(told.fields), told.metadata["executed"]) == ("INPUT_INVALID", fields, "NO")
    assert record_of(site, told).failure.message


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"\xff", {""}),
        (b"\x0a\x05ab", {""}),
        (b"\x0a\x02\xff\xfe", {""}),
        (b"\x2a\x02" * 60 + b"\x2a\x00", {""}),
        (b"\xf8\x01\x01", {""}),
        (b"\x2a\x02\x48\x01", {"items[0]"}),
    ],
    ids=["no tag", "cut off", "not UTF-8", "cut nesting", "unknown number", "unknown number inside"],
)
def test_bytes_that_are_not_the_message_are_invalid_input(site: Site, body: bytes, fields: set[str]) -> None:
    told = result(lambda: raw(site, path("echo"), body))
    assert (told.reason, set(told.fields), told.metadata["executed"]) == ("INPUT_INVALID", fields, "NO")
    assert site.is_well()


def test_nesting_is_bounded(site: Site) -> None:
    deep = item()()
    for _ in range(101):
        outer = item()()
        outer.items.add().CopyFrom(deep)  # type: ignore[attr-defined] # made at run time
        deep = outer
    told = result(lambda: raw(site, path("echo"), deep.SerializeToString()))
    assert told.reason == "INPUT_INVALID"


def test_a_request_over_the_limit_is_too_large(site: Site) -> None:
    told = native(site, "echo", {"name": "x" * (5 << 20)})
    assert told.reason == "INPUT_TOO_LARGE"


def test_metadata_goes_into_the_record(site: Site) -> None:
    more = (("toolcell-tool-call-id", "call_native"), ("toolcell-label-env", "test"))
    _, trailers = raw(site, path("echo"), b"", *more)
    record = record_of(site, Result(invocation_id=trailers["toolcell-invocation-id"]))
    assert (record.tool_call_id, dict(record.labels)) == ("call_native", {"env": "test"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("idempotency-key", "k"),
        ("toolcell-handoff", "allow"),
        ("toolcell-label", "x"),
        ("toolcell-label-9", "x"),
        ("toolcell-label-", "x"),
        ("toolcell-label-x-bin", b"x"),
        ("toolcell-label-x", "x" * 256),
        ("toolcell-tool-call-id", "x" * 256),
    ],
)
def test_metadata_that_is_not_honoured_is_refused_and_nothing_runs(
    site: Site, key: str, value: str | bytes
) -> None:
    told = result(lambda: raw(site, path("echo"), b"", (key, value)))  # type: ignore[arg-type] # bytes are right too
    assert (told.reason, told.metadata["executed"]) == ("REQUEST_INVALID", "NO")


def test_metadata_that_stands_twice_is_refused(site: Site) -> None:
    twice = (("toolcell-tool-call-id", "a"), ("toolcell-tool-call-id", "b"))
    told = result(lambda: raw(site, path("echo"), b"", *twice))
    assert (told.reason, told.fields) == ("REQUEST_INVALID", ("toolcell-tool-call-id",))


def test_a_stranger_s_bytes_and_path_are_not_looked_at(site: Site) -> None:
    for where in (path("echo"), f"{SERVICE}/Never"):
        call: Any = site.channel.unary_unary(where)
        told = result(lambda call=call: call(b"\xff"))  # type: ignore[misc] # the loop's own
        assert told.reason == "TOKEN_MISSING"
        assert told.invocation_id == ""


def test_a_tool_that_is_not_granted_looks_as_if_it_did_not_exist(site: Site) -> None:
    bearer = token(site, "decl*", groups=("invoke", "traces"))
    hidden = result(lambda: raw(site, path("echo"), b"", bearer=bearer))
    never = result(lambda: raw(site, f"{SERVICE}/Ech0", b"", bearer=bearer))
    assert hidden.reason == never.reason == "METHOD_NOT_FOUND"
    assert hidden.message.replace("/Echo", "/Ech0", 1) == never.message
    assert (hidden.invocation_id, never.invocation_id) == ("", "")
    near = result(lambda: raw(site, f"{SERVICE}/Declin", b"", bearer=bearer))
    assert f"Did you mean {SERVICE}/Decline?" in near.message
    assert result(lambda: raw(site, path("decline"), b"", bearer=bearer)).reason == "TOOL_ERROR"


def test_a_token_without_the_group_may_not_call(site: Site) -> None:
    bearer = token(site, "*", groups=("traces",))
    assert result(lambda: raw(site, path("echo"), b"", bearer=bearer)).reason == "RPC_FORBIDDEN"


def test_a_tool_that_cannot_run_says_why(site: Site) -> None:
    told = result(lambda: raw(site, "/faulty.v1.FaultyService/NoHandler", b""))
    assert (told.reason, told.metadata["cause"]) == ("TOOL_UNAVAILABLE", "HANDLER_MISSING")


def test_a_rate_holds_for_both_doors_together(site: Site) -> None:
    reasons = [native(site, "scarce", {}).reason for _ in range(2)]
    assert reasons == ["", "RATE_LIMITED"]
    told = result(lambda: site.tools.Invoke(InvokeRequest(tool="scarce"), metadata=site.metadata()))
    assert told.reason == "RATE_LIMITED"


def test_the_caller_s_deadline_stops_the_handler_with_a_reason(site: Site) -> None:
    call: Any = site.channel.unary_unary(path("wait"))
    told = result(lambda: call(b"", metadata=site.metadata(), timeout=2))
    assert told.reason == "HANDLER_TIMEOUT"
    assert record_of(site, told).failure.message


def test_a_caller_that_goes_away_has_its_handler_killed(site: Site) -> None:
    ended = threading.Event()
    call: Any = site.channel.unary_unary(path("wait"))
    labels = (("toolcell-label-going", "away"),)
    future = call.future(b"", metadata=(*site.metadata(), *labels))
    future.add_done_callback(lambda _: ended.set())
    while not (running := _labelled(site)):
        assert not ended.is_set(), future.exception()
    future.cancel()
    while not _labelled(site)[0].HasField("end_time"):
        pass
    (record,) = _labelled(site)
    assert record.invocation_id == running[0].invocation_id
    assert record.failure.reason == 36  # CANCELLED


def _labelled(site: Site) -> list[Invocation]:
    wanted = InvocationFilter(tool="wait", labels={"going": "away"})
    answer = site.traces.ListInvocations(ListInvocationsRequest(filter=wanted), metadata=site.metadata())
    return list(answer.invocations)


def test_a_failure_that_is_too_large_for_a_status_is_left_to_the_record(site: Site) -> None:
    code, found = status(site, "rant")
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert unpacked(found, Failure) == []
    assert found.ByteSize() <= 4096
    assert len(record_of(site, native(site, "rant", {})).failure.message) == 2000
