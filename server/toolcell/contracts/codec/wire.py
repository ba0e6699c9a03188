"""The bytes of a message, opened into the JSON value that the walk reads."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from toolcell.contracts.codec.walk import MOST_VALUES, MOST_VIOLATIONS, Reject, Segment, rendered
from toolcell.contracts.fields import is_map, map_entry
from toolcell.model.errors import Violation

_MALFORMED: Final = "is not the bytes of a {name}; generate the client from the tool's own contract"
_SHAPELESS: Final = (
    "holds a value that has no JSON form, such as a Timestamp after the year 9999 or an Any of a type that "
    "the contract does not import"
)


class UnknownNumbers(Exception):  # noqa: N818 - what was found, not a fault of ours
    """The message holds fields that the contract does not know; `violations` names their numbers."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{len(violations)} unknown fields")
        self.violations = violations


def opened(descriptor: Descriptor, body: bytes) -> Any:
    """Returns a message's JSON value, only what is set, under the proto's own names.

    Raises Reject when the bytes are no such message and UnknownNumbers when it holds more than the contract.
    """
    try:
        message = message_factory.GetMessageClass(descriptor).FromString(body)
    except DecodeError:
        raise Reject("MALFORMED", _MALFORMED.format(name=descriptor.full_name)) from None
    if len(body) > MOST_VALUES:  # a value takes a byte at least
        _count(message, 0)
    if _holds_unknown(message):
        raise UnknownNumbers(list(islice(_unknown(message, []), MOST_VIOLATIONS)))
    try:
        return json_format.MessageToDict(
            message, preserving_proto_field_name=True, descriptor_pool=descriptor.file.pool
        )
    except (ValueError, TypeError, RecursionError, json_format.Error):
        raise Reject("OUT_OF_RANGE", _SHAPELESS) from None


def _count(message: Message, count: int) -> int:
    """Counts a message's values on top of others, before they all become Python's; rejects too many."""
    for field, value in message.ListFields():
        count += len(value) if field.is_repeated else 1
        if count > MOST_VALUES:
            raise Reject("TOO_LARGE", f"holds more than {MOST_VALUES:,} values")
        for _, part in _parts(field, value):
            count = _count(part, count)
    return count


def _holds_unknown(message: Message) -> bool:
    """Tells it of the whole tree, without a walk in Python: dropping what is unknown makes it smaller.

    Partial, as a required field of proto2 may be missing: that is the walk's to say.
    """
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return len(known.SerializePartialToString()) != len(message.SerializePartialToString())


def _unknown(message: Message, path: list[Segment]) -> Iterator[Violation]:
    for unknown in _fields(message):
        sentence = f"holds the unknown field number {unknown.field_number}; the contract may be a newer one"
        yield Violation(rendered(path), sentence, "UNKNOWN_FIELD")
    for field, value in message.ListFields():
        for segment, part in _parts(field, value):
            yield from _unknown(part, [*path, field.name, *segment])


def _fields(message: Message) -> Any:
    return UnknownFieldSet(message)


def _parts(field: Any, value: Any) -> Iterator[tuple[list[Segment], Message]]:
    """Yields the messages in a field's value, each with what leads to it."""
    if field.message_type is None:
        return
    if is_map(field):
        if map_entry(field)[1].message_type is not None:
            for key, part in value.items():
                yield [(str(key),)], part
    elif field.is_repeated:
        for at, part in enumerate(value):
            yield [at], part
    else:
        yield [], value
