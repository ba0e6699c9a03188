"""The taxonomy: one class a reason, equal to the public enum, with advice that follows what was executed."""

from collections.abc import Iterator

from toolcell.model.errors import (
    Executed,
    HandlerFault,
    InputInvalid,
    Reason,
    ToolcellError,
    ToolDeclaredError,
    ToolForbidden,
    Violation,
)
from toolcell.v1.error_reason_pb2 import ErrorReason


def classes(root: type[ToolcellError] = ToolcellError) -> Iterator[type[ToolcellError]]:
    for child in root.__subclasses__():
        if "reason" in child.__dict__:
            yield child
        yield from classes(child)


def test_one_class_for_every_reason() -> None:
    assert sorted(c.reason for c in classes()) == sorted(Reason)


def test_the_public_enum_has_the_same_reasons() -> None:
    public = {value.name.removeprefix("ERROR_REASON_") for value in ErrorReason.DESCRIPTOR.values}
    public.remove("UNSPECIFIED")
    assert public == set(Reason)


def test_only_what_was_not_executed_may_be_resent_and_only_that_is_unavailable() -> None:
    for c in classes():
        assert c.retryable == (c.code == "UNAVAILABLE"), c
        if c.retryable:
            assert c.executed is Executed.NO, c


def test_no_other_fault_claims_the_codes_clients_resend_on() -> None:
    codes = {
        c.code for c in classes() if issubclass(c, HandlerFault) and c.reason is not Reason.TOOL_TRANSIENT
    }
    assert not codes & {"UNAVAILABLE", "UNAUTHENTICATED", "INTERNAL"}


def test_the_model_is_told_every_field_and_no_value() -> None:
    error = InputInvalid(
        violations=[Violation("query", "must be a valid email", "string.email"), Violation("", "not JSON")],
        tool="search",
    )
    assert error.told == (
        "Arguments rejected: query: must be a valid email; not JSON. Correct these fields and call again."
    )


def test_a_template_with_a_missing_key_still_reads() -> None:
    assert ToolForbidden().told == "You may not use the tool. Do not retry; use another way."


def test_a_handlers_own_words_are_told_verbatim_and_cut() -> None:
    error = ToolDeclaredError("no {service} to " + "x" * 3000, details={"country": "AQ"}, tool="quote")
    assert error.told.startswith("no {service} to x")
    assert len(error.told) == ToolDeclaredError.limit
    assert error.failure().details == {"country": "AQ"}
