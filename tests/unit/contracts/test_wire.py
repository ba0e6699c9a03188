"""The bytes of a message: what they hold beyond JSON's reach is refused, with its place."""

from typing import Any

import pytest
from google.protobuf import message_factory

from tests.contracts.workspace import contract, proto, workspace
from toolcell.contracts.contract import MOST_BYTES
from toolcell.model.errors import InputInvalid, InputTooLarge

UNKNOWN = b"\xc8\x3e\x01"  # field 1001


def violations(tool: str, body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InputInvalid) as refused:
        contract(tool).decode_wire(body)
    return [(it.field, it.rule) for it in refused.value.violations]


def blank(tool: str) -> Any:
    return message_factory.GetMessageClass(contract(tool).input)()


def test_unknown_numbers_are_named_with_their_place_at_any_depth() -> None:
    message = blank("echo_everything")
    message.inners.add()
    message.inners.add().MergeFromString(UNKNOWN)
    message.by_i32[7].MergeFromString(UNKNOWN)
    body = message.SerializeToString() + UNKNOWN
    assert violations("echo_everything", body) == [
        ("", "UNKNOWN_FIELD"),
        ("inners[1]", "UNKNOWN_FIELD"),
        ('by_i32["7"]', "UNKNOWN_FIELD"),
    ]


def test_at_most_twenty_are_named() -> None:
    message = blank("echo_everything")
    for _ in range(30):
        message.inners.add().MergeFromString(UNKNOWN)
    assert len(violations("echo_everything", message.SerializeToString())) == 20


def test_too_many_values_are_refused_before_they_are_looked_at() -> None:
    message = blank("echo_everything")
    message.texts.extend([""] * 1_000_001)
    assert violations("echo_everything", message.SerializeToString()) == [("", "TOO_LARGE")]


def test_too_many_bytes_are_not_parsed() -> None:
    with pytest.raises(InputTooLarge):
        contract("echo_everything").decode_wire(b"\xff" * (MOST_BYTES + 1))


def test_a_required_field_of_proto2_is_missing_in_words() -> None:
    assert ("name", "required") in violations("echo_legacy", b"")


BEHAVIOR = """
message Asked {
  int32 count = 1 [(google.api.field_behavior) = REQUIRED];
  optional int32 limit = 2 [(google.api.field_behavior) = REQUIRED];
}
service More { rpc Count(Asked) returns (Answer); }
"""


@pytest.fixture
async def count(tmp_path: Any) -> Any:
    text = proto("more.v1", more=BEHAVIOR, imports='import "google/api/field_behavior.proto";')
    catalog = workspace(tmp_path, {"protos/more.proto": text})
    await catalog.load()
    return catalog.snapshot.entries["count"].contract


async def test_a_field_without_presence_is_never_missing_on_the_wire_and_one_with_it_is(count: Any) -> None:
    assert count.decode_wire(b"\x10\x00") == '{"count":0,"limit":0}' == count.decode('{"count":0,"limit":0}')
    for decode, given in ((count.decode_wire, b""), (count.decode, '{"count": 0}')):
        with pytest.raises(InputInvalid) as refused:
            decode(given)
        assert [it.field for it in refused.value.violations] == ["limit"]


TIMES = "message Moment { google.protobuf.Timestamp at = 1; google.protobuf.Any any = 2; }\n"
TIMES += "service Clock { rpc Tell(Moment) returns (Moment); }\n"
IMPORTS = 'import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto";'


async def test_what_json_cannot_say_is_refused(tmp_path: Any) -> None:
    catalog = workspace(tmp_path, {"protos/t.proto": proto("t.v1", more=TIMES, imports=IMPORTS)})
    await catalog.load()
    tell = catalog.snapshot.entries["tell"].contract
    made = message_factory.GetMessageClass(tell.input)
    late, strange = made(), made()
    late.at.seconds = 1 << 40  # type: ignore[attr-defined] # made at run time
    strange.any.type_url, strange.any.value = "x.dev/no.Such", b"\x08\x01"  # type: ignore[attr-defined] # as above
    for message in (late, strange):
        with pytest.raises(InputInvalid, match="no JSON form"):
            tell.decode_wire(message.SerializeToString())
    made_late = made()
    made_late.at.seconds = 0  # type: ignore[attr-defined] # as above
    text = tell.decode_wire(made_late.SerializeToString())
    assert text == '{"at":"1970-01-01T00:00:00Z"}'
    assert tell.encode_wire(text) == made_late.SerializeToString()
