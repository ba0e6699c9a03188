"""Every error becomes a status with exactly one ErrorInfo, small enough for any client's trailers."""

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status

from toolcell.model import errors
from toolcell.model.errors import Reason, ToolcellError, Violation
from toolcell.transports.grpc.status import internal, to_status


def every_error() -> list[type[ToolcellError]]:
    found, open_ = [], [ToolcellError]
    while open_:
        kind = open_.pop()
        open_ += kind.__subclasses__()
        found += [kind] if hasattr(kind, "reason") else []
    return found


def made(kind: type[ToolcellError]) -> ToolcellError:
    """Makes an error that says its three parts."""
    words = "what, where, what to do"
    return kind(words, tool="echo") if issubclass(kind, errors.ToolDeclaredError) else kind(words)


def detail(status: Status, kind: Any) -> Any:
    """Returns the one detail of a kind, or None."""
    found = [any_ for any_ in status.details if any_.Is(kind.DESCRIPTOR)]
    assert len(found) <= 1
    message = kind()
    return message if found and found[0].Unpack(message) else None


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_one_info_that_says_whose_fault_and_whether_it_ran(kind: type[ToolcellError]) -> None:
    status = to_status(made(kind))
    info = detail(status, details.ErrorInfo)
    assert (info.reason, info.domain) == (kind.reason, "toolcell.dev")
    assert info.metadata["origin"] == kind.origin
    assert info.metadata["executed"] == kind.executed
    assert status.code == grpc.StatusCode[kind.code].value[0]
    assert status.message == "what, where, what to do"


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind.code == "UNAVAILABLE"])
def test_what_may_be_resent_says_when(kind: type[ToolcellError]) -> None:
    if kind.reason is not Reason.TOOL_TRANSIENT:  # its wait is the handler's to say
        assert detail(to_status(made(kind)), details.RetryInfo).retry_delay.ToMicroseconds() > 0


def test_violations_are_a_bad_request() -> None:
    error = errors.InputInvalid(violations=[Violation("items[2].sku", "must not be empty", "string.min_len")])
    (violation,) = detail(to_status(error), details.BadRequest).field_violations
    assert violation.field == "items[2].sku"
    assert violation.description == "must not be empty"
    assert violation.reason == "string.min_len"


def test_a_limit_says_what_is_limited_and_how_long_to_wait() -> None:
    error = errors.RateLimited("slow down", tool="search", scope="caller", limit="20", retry_after=1.5)
    status = to_status(error)
    assert detail(status, details.RetryInfo).retry_delay.ToMilliseconds() == 1500
    assert detail(status, details.QuotaFailure).violations[0].subject == "caller:search"
    info = detail(status, details.ErrorInfo)
    assert info.metadata["retry_after"].startswith("1.5")


def test_what_was_not_found_is_named() -> None:
    resource = detail(to_status(errors.ToolNotFound(tool="serch", near="search")), details.ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("toolcell.v1.Tool", "serch")


@pytest.mark.parametrize("letter", ["x", "é", "\n", "😀", "\ud800"])
def test_a_status_stays_small_whatever_is_said(letter: str) -> None:
    violations = [Violation(letter * 5000, letter * 5000, letter * 5000)] * 20
    error = errors.InputInvalid(letter * 50_000, violations=violations, tool=letter * 50_000)
    status = to_status(error)
    assert status.ByteSize() <= 4096
    assert detail(status, details.ErrorInfo).reason == "INPUT_INVALID"


def test_violations_that_do_not_fit_are_cut_from_the_end() -> None:
    violations = [Violation(f"field_{n}", "must be something else " * 8, "rule") for n in range(20)]
    kept = detail(
        to_status(errors.InputInvalid("no", violations=violations)), details.BadRequest
    ).field_violations
    assert 0 < len(kept) < 20
    assert [v.field for v in kept] == [f"field_{n}" for n in range(len(kept))]


def test_a_bug_is_told_by_an_id_and_its_stack_only_logged() -> None:
    lines: list[str] = []
    try:
        raise KeyError("a secret")
    except KeyError as bug:
        error = internal(bug, lines.append)
    assert "a secret" not in str(to_status(error))
    assert error.metadata["request_id"] in error.message
    assert error.metadata["request_id"] in lines[0]
    assert "Traceback" in lines[0]
