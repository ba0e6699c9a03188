"""Requests from bytes, and the rules of their fields; what breaks one is REQUEST_INVALID."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from toolcell.model.errors import InputTooLarge, RequestInvalid, Violation
from toolcell.model.span import State
from toolcell.transports.grpc import messages

TEXT_LENGTH: Final = 255
NAME_LENGTH: Final = 64
LABELS: Final = 16
NANOS: Final = 1_000_000_000
"""Nanoseconds in a second: the `nanos` of a Timestamp or a Duration stay below it."""

_JOB_ID = re.compile(r"job_[0-9a-z]{26}")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,62}")

Violations = Iterator[Violation]
M = TypeVar("M", bound=Message)


def bound_size(body: bytes, limit: int) -> None:
    """Raises InputTooLarge when a request is larger than the limit, in bytes."""
    if len(body) > limit:
        raise InputTooLarge(
            f"The request is {len(body)} bytes, the limit is {limit}. Send less, or raise `grpc.message`.",
            size=len(body),
            limit=limit,
        )


def decode(kind: type[M], body: bytes) -> M:
    """Returns the message in `body`; raises RequestInvalid when the bytes are no such message."""
    try:
        return kind.FromString(body)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        raise RequestInvalid(
            f"The request is not a {name}: its bytes do not parse, or it is nested deeper than 100 messages. "
            "Generate the client from toolcell/v1.",
            violations=[Violation("", f"must be the bytes of a {name}", "MALFORMED")],
        ) from None


def require(*rules: Violations) -> None:
    """Raises RequestInvalid with every violation of the rules, at once; nothing when there is none."""
    found = tuple(violation for rule in rules for violation in rule)
    if found:
        shown = "; ".join(f"{v.field}: {v.description}" for v in found)
        raise RequestInvalid(
            f"The request is not acceptable: {shown}. Correct it and send it again.", violations=found
        )


def text(field: str, value: str, most: int = TEXT_LENGTH) -> Violations:
    """Wants at most `most` characters, none of them a control character."""
    if len(value) > most:
        yield Violation(field, f"must be at most {most} characters; it is {len(value)}", "string.max_len")
    elif any(c < " " or c == "\x7f" for c in value):
        yield Violation(field, "must not hold control characters", "string.control")


def present(field: str, value: str) -> Violations:
    """Wants text that is not empty."""
    if not value:
        yield Violation(field, "must not be empty", "required")


def tool_name(field: str, value: str) -> Violations:
    """Wants what may be a tool's name: 1 to 64 characters."""
    yield from present(field, value)
    yield from text(field, value, NAME_LENGTH)


def labels(field: str, value: Mapping[str, str]) -> Violations:
    """Wants at most 16 labels, each key `[a-z][a-z0-9_.-]{0,62}`, each value at most 255 characters."""
    if len(value) > LABELS:
        yield Violation(field, f"must hold at most {LABELS} labels; it holds {len(value)}", "map.max_pairs")
        return
    for key, label in value.items():
        if not _LABEL_KEY.fullmatch(key):
            yield Violation(field, "every key must match [a-z][a-z0-9_.-]{0,62}", "map.keys.pattern")
        elif len(label) > TEXT_LENGTH:
            yield Violation(f"{field}.{key}", f"must be at most {TEXT_LENGTH} characters", "string.max_len")


def state(field: str, value: int) -> Violations:
    """Wants 0 or the number of a state."""
    if value and messages.state(value) is None:
        known = ", ".join(f"{messages.state_number(state)} {state}" for state in State)
        yield Violation(field, f"must be 0 for any, or one of: {known}", "enum.defined_only")


def job_id(field: str, value: str) -> Violations:
    """Wants what may be a job's id."""
    if not _JOB_ID.fullmatch(value):
        yield Violation(field, "must be a job's id: `job_` and 26 letters and digits", "string.pattern")
