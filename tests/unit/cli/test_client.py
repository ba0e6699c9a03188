"""A server's refusals become exit codes, lines and hints."""

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from toolcell.cli.client import fault_of
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Target
from toolcell.model.errors import HandlerFault, Reason, Refusal

TARGET = Target("127.0.0.1:7333", "tc_secret", tls=False)


class Status(grpc.RpcError):
    """A failed call, as the library hands it over."""

    def __init__(
        self, code: grpc.StatusCode, message: str, details: tuple[Message, ...] = (), raw: bytes | None = None
    ) -> None:
        packed: list[any_pb2.Any] = []
        for detail in details:
            packed.append(any_pb2.Any())
            packed[-1].Pack(detail)
        rich = status_pb2.Status(code=code.value[0], message=message, details=packed).SerializeToString()
        trailers = raw if raw is not None else rich if details else None
        self._parts = (
            code,
            message,
            (("grpc-status-details-bin", trailers),) if trailers is not None else None,
        )

    def code(self) -> grpc.StatusCode:
        return self._parts[0]

    def details(self) -> str:
        return self._parts[1]

    def trailing_metadata(self) -> Any:
        return self._parts[2]


def refusal(
    reason: str, code: str = "INVALID_ARGUMENT", more: tuple[Message, ...] = (), **metadata: str
) -> CommandError:
    info = error_details_pb2.ErrorInfo(reason=reason, domain="toolcell.dev", metadata=metadata)
    return fault_of(Status(grpc.StatusCode[code], "no", (info, *more)), TARGET)


def classes(base: Any) -> set[Any]:
    return {each for sub in base.__subclasses__() for each in (sub, *classes(sub))}


def test_every_refusal_there_is_has_an_exit_code_and_a_hint() -> None:
    reasons = {kind.reason for kind in classes(Refusal) if hasattr(kind, "reason")}
    assert {Reason.TOKEN_MISSING, Reason.STORE_FULL, Reason.INPUT_INVALID} <= reasons
    for reason in reasons:
        fault = refusal(reason)
        assert fault.reason == reason
        assert fault.exit_code not in (EXITS["ok"], EXITS["stopped"])
        assert (fault.exit_code == EXITS["internal"]) == (reason in ("INTERNAL_ERROR", "METHOD_NOT_FOUND"))
        assert fault.hint


def test_what_a_handler_did_is_no_refusal() -> None:
    assert Reason.HANDLER_CRASHED in {
        kind.reason for kind in classes(HandlerFault) if hasattr(kind, "reason")
    }
    assert refusal("HANDLER_CRASHED", "UNKNOWN").exit_code == EXITS["internal"]


def test_every_violation_is_a_line() -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="query", description="must be an email")
    bad.field_violations.add(description="is not JSON")
    fault = refusal("INPUT_INVALID", more=(bad,), tool="search_customer")
    assert fault.where == ["query: must be an email", "is not JSON"]
    assert fault.what == "the arguments are rejected"
    assert fault.exit_code == EXITS["invalid arguments"]
    assert "toolcell tools search_customer" in fault.hint


def test_the_time_to_wait_is_said() -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    fault = refusal("RATE_LIMITED", "RESOURCE_EXHAUSTED", more=(retry,))
    assert fault.exit_code == EXITS["rate limited"]
    assert "wait 1.5 s" in fault.hint


def test_a_near_tool_is_suggested() -> None:
    assert "search_customer" in refusal("TOOL_NOT_FOUND", "NOT_FOUND", near="search_customer").hint
    assert "did you mean" not in refusal("TOOL_NOT_FOUND", "NOT_FOUND", near="").hint


@pytest.mark.parametrize(
    ("code", "exit_name"),
    [("UNAVAILABLE", "server unreachable"), ("DEADLINE_EXCEEDED", "timeout"), ("UNKNOWN", "internal")],
)
def test_a_status_of_the_library_has_an_exit_code_too(code: str, exit_name: str) -> None:
    fault = fault_of(Status(grpc.StatusCode[code], "connection refused\nby peer"), TARGET)
    assert fault.exit_code == EXITS[exit_name]
    assert "connection refused by peer" in fault.what
    assert not fault.reason


def test_details_that_are_none_are_passed_over() -> None:
    fault = fault_of(Status(grpc.StatusCode.UNKNOWN, "x", raw=b"\xff\xff"), TARGET)
    assert fault.exit_code == EXITS["internal"]


def test_a_reason_of_somebody_else_is_not_ours() -> None:
    info = error_details_pb2.ErrorInfo(reason="TOOL_NOT_FOUND", domain="example.com")
    assert not fault_of(Status(grpc.StatusCode.NOT_FOUND, "x", (info,)), TARGET).reason
