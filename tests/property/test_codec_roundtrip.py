"""What the codec accepts, google's parser reads as the same message; what it refuses, it refuses in words."""

import json
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.contracts.instances import ANY_JSON, messages
from tests.contracts.workspace import attempt, contract
from toolcell.contracts.codec.shapes import construct
from toolcell.contracts.codec.walk import Direction, Walk
from toolcell.contracts.contract import Contract
from toolcell.model.errors import InputInvalid, OutputInvalid, Violation

TOOLS = ("echo_everything", "echo_legacy", "tree", "free")
RULES = {
    "NOT_JSON",
    "NOT_OBJECT",
    "WRONG_TYPE",
    "UNKNOWN_FIELD",
    "OUT_OF_RANGE",
    "ONEOF_CONFLICT",
    "DUPLICATE_KEY",
    "TOO_DEEP",
    "TOO_LARGE",
    "LONE_SURROGATE",
    "required",
    "string.max_len",
}
instances = st.sampled_from(TOOLS).flatmap(
    lambda tool: st.tuples(st.just(contract(tool)), messages(contract(tool).input))
)


def parsed(entry: Contract, text: str) -> Message:
    """Reads JSON as google's library does."""
    message = message_factory.GetMessageClass(entry.input)()
    json_format.Parse(text, message, descriptor_pool=entry.definitions.pool)
    return message


def decoded(entry: Contract, text: str) -> str | None:
    """Returns the canonical text, or None when a rule of the contract is broken."""
    canonical, violations = attempt(entry, text)
    assert {v.rule for v in violations} <= {"string.max_len"}
    return canonical


@given(instances)
def test_decoding_keeps_the_message(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    text = decoded(entry, json.dumps(instance))
    assume(text is not None)
    assert parsed(entry, text or "") == parsed(entry, json.dumps(instance))


@given(instances)
def test_decoding_twice_changes_nothing(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    text = decoded(entry, json.dumps(instance))
    assume(text is not None)
    assert entry.decode(text or "") == text
    assert entry.encode(json.loads(text or "")) == text


@given(instances)
def test_the_message_that_rules_judge_is_the_message(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    walk = Walk()
    read = entry.definitions.shapes[Direction.INPUT].reader(entry.input)
    plain, wire = read(instance, walk)
    assert not walk.violations
    assert construct(entry.input, plain, wire) == parsed(entry, json.dumps(instance))


@given(instances)
def test_what_google_prints_encodes_to_the_same(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    message = parsed(entry, json.dumps(instance))
    printed = json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        descriptor_pool=entry.definitions.pool,
    )
    text = decoded(entry, json.dumps(instance))
    assume(text is not None)
    assert json.loads(entry.encode(printed)) == json.loads(text or "")


@given(st.sampled_from(TOOLS), st.text() | ANY_JSON.map(json.dumps))
def test_any_text_is_accepted_or_refused_in_words(tool: str, text: str) -> None:
    refusal(contract(tool), text)


@given(instances, ANY_JSON, st.data())
def test_any_change_is_accepted_or_refused_in_words(
    pair: tuple[Contract, Any], other: Any, data: st.DataObject
) -> None:
    entry, instance = pair
    places = list(_places(instance))
    assume(places)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = other
    refusal(entry, json.dumps(instance))


@given(instances, st.text(min_size=1), ANY_JSON)
def test_an_unknown_name_is_refused(pair: tuple[Contract, Any], name: str, value: Any) -> None:
    entry, instance = pair
    known = {alias for f in entry.input.fields for alias in (f.name, f.json_name)}
    assume(entry.tool != "free" and name not in known)
    violations = refusal(entry, json.dumps({**instance, name: value}))
    assert "UNKNOWN_FIELD" in {v.rule for v in violations}


@given(ANY_JSON)
def test_any_answer_is_accepted_or_refused_in_words(value: Any) -> None:
    try:
        contract("echo_everything").encode(value)
    except OutputInvalid as refused:
        violations = refused.violations
    else:
        return
    assert violations


def refusal(entry: Contract, text: str) -> tuple[Violation, ...]:
    """Decodes; returns the violations, each with a rule and a sentence, at most 20, or nothing."""
    canonical, violations = attempt(entry, text)
    if canonical is not None:
        assert entry.decode(canonical) == canonical
        return ()
    assert 0 < len(violations) <= 20
    assert {v.rule for v in violations} <= RULES
    assert all(v.description and len(v.field) < 2000 for v in violations)
    return violations


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


@given(instances)
def test_the_bytes_of_a_message_decode_to_what_its_json_does(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    text = decoded(entry, json.dumps(instance))
    assume(text is not None)
    body = parsed(entry, json.dumps(instance)).SerializeToString()
    assert json.loads(entry.decode_wire(body)) == json.loads(text or "")


@given(instances)
def test_an_answer_s_text_becomes_the_bytes_of_the_same_message(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    assume(decoded(entry, json.dumps(instance)) is not None)
    text = entry.encode(instance)
    made = message_factory.GetMessageClass(entry.output).FromString(entry.encode_wire(text))
    expected = message_factory.GetMessageClass(entry.output)()
    json_format.Parse(text, expected, descriptor_pool=entry.definitions.pool)
    assert made == expected


def judged(entry: Contract, body: bytes) -> tuple[str, tuple[Violation, ...]]:
    """Decodes a message's bytes; returns the canonical text or "", and the violations."""
    try:
        return entry.decode_wire(body), ()
    except InputInvalid as refused:
        return "", refused.violations


@given(st.sampled_from(TOOLS), st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused_in_words(tool: str, body: bytes) -> None:
    text, violations = judged(contract(tool), body)
    assert bool(text) != bool(violations)
    assert {v.rule for v in violations} <= RULES | {"MALFORMED"}
    assert all(v.description for v in violations)


@given(instances, st.binary(min_size=1, max_size=10))
def test_bytes_with_something_more_are_judged_too(pair: tuple[Contract, Any], more: bytes) -> None:
    entry, instance = pair
    assume(decoded(entry, json.dumps(instance)) is not None)
    body = parsed(entry, json.dumps(instance)).SerializeToString() + more
    text, violations = judged(entry, body)
    assert violations or json.loads(entry.decode(text)) == json.loads(text)
