"""What a model is shown in a dialect, it can send; what it sends becomes the message that was meant."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.contracts.instances import ANY_JSON, messages
from tests.contracts.workspace import contract
from tests.property.test_schema_instances import BASE, CHOICES, FIELDS
from toolcell.contracts import dialects
from toolcell.contracts.contract import Contract
from toolcell.model.errors import InputInvalid

TOOLS = ("echo_everything", "echo_legacy", "echo_sided", "tree", "free", "nothing")
FORMS = [
    name for name in dialects.DIALECTS if not name.startswith(("mcp", "openai-responses"))
]  # others share
instances = st.sampled_from(TOOLS).flatmap(
    lambda tool: st.tuples(st.just(contract(tool)), messages(contract(tool).input))
)
few = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def canonical(entry: Contract, instance: Any) -> str | None:
    try:
        return entry.decode(json.dumps(instance))
    except InputInvalid:
        return None


def schema_of(dialect: dialects.Dialect, entry: Contract) -> Any:
    """Returns the schema a model is shown, Gemini's own in the words of JSON Schema."""
    return lowered(entry.said(dialect._kind(entry)).schema)


def lowered(node: Any) -> Any:
    if isinstance(node, list):
        return [lowered(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: lowered(item) for name, item in node.items()}
    if isinstance(node.get("type"), str):
        made["type"] = node["type"].lower()
    return made


@pytest.mark.parametrize("name", FORMS)
@few
@given(instances)
def test_what_a_dialect_rewrote_is_undone_exactly(name: str, pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    dialect, meant = dialects.find(name), canonical(entry, instance)
    assume(meant is not None)
    sent = dialect.encode(entry, meant or "")
    assert dialect.decode(entry, sent) == meant
    validator = jsonschema_rs.Draft202012Validator(schema_of(dialect, entry))
    assert [error.message for error in validator.iter_errors(json.loads(sent))] == []


@pytest.mark.parametrize("name", FORMS)
@few
@given(st.sampled_from(TOOLS), st.text() | ANY_JSON.map(json.dumps))
def test_any_text_is_accepted_or_refused_in_words(name: str, tool: str, text: str) -> None:
    refusal(dialects.find(name), contract(tool), text)


@pytest.mark.parametrize("name", FORMS)
@few
@given(instances, ANY_JSON, st.data())
def test_any_change_is_accepted_or_refused_in_words(
    name: str, pair: tuple[Contract, Any], other: Any, data: st.DataObject
) -> None:
    entry, instance = pair
    dialect, meant = dialects.find(name), canonical(entry, instance)
    assume(meant is not None)
    sent = json.loads(dialect.encode(entry, meant or ""))
    places = list(_places(sent))
    assume(places)
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = other
    refusal(dialect, entry, json.dumps(sent))


def refusal(dialect: dialects.Dialect, entry: Contract, text: str) -> None:
    try:
        meant = dialect.decode(entry, text)
    except InputInvalid as refused:
        violations = refused.violations
    else:
        assert dialect.decode(entry, dialect.encode(entry, meant)) == meant
        return
    assert 0 < len(violations) <= 20
    assert all(v.description and v.rule and len(v.field) < 2000 for v in violations)


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize("name", FORMS)
@few
@given(st.sampled_from(CHOICES[:2]), st.fixed_dictionaries({}, optional=FIELDS))
def test_what_obeys_the_rules_is_undone_exactly_too(name: str, choice: Any, changed: Any) -> None:
    entry, dialect = contract("check_rules"), dialects.find(name)
    meant = canonical(entry, {**BASE, **choice, **changed}) or canonical(entry, {**BASE, **choice})
    assert meant is not None
    sent = dialect.encode(entry, meant)
    assert dialect.decode(entry, sent) == meant
