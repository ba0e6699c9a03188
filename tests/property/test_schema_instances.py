"""What a schema allows and what the codec accepts are the same, as far as a schema can say it."""

import json
from typing import Any

import jsonschema_rs
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.contracts.instances import ANY_JSON, messages
from tests.contracts.workspace import contract
from toolcell.contracts.contract import Contract
from toolcell.model.errors import InputInvalid, OutputInvalid

TOOLS = ("echo_everything", "echo_legacy", "tree", "free", "nothing")
instances = st.sampled_from(TOOLS).flatmap(
    lambda tool: st.tuples(st.just(contract(tool)), messages(contract(tool).input))
)

WORDS = st.sampled_from(
    ["", "a", "b", "ab", "abc", "yes", "a.bc", "x$", "#$", "forbidden", "ABC", "éé", "ada@b.de"]
)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 4, 5, 6, 10, 11, 50, 51, 99, 100])
REALS = st.sampled_from([0, 0.1, 0.5, 0.999, 1, 2.5, -0.0])
PART = st.fixed_dictionaries({}, optional={"code": st.sampled_from(["", "AB", "ab"]), "weight": NUMBERS})
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["constant", "one_of", "none_of", "exact", "few_bytes", "pattern", "unportable"], WORDS),
    **dict.fromkeys(["prefix", "suffix", "ulid", "host_and_port", "free"], st.just("") | WORDS),
    **dict.fromkeys(["low", "high", "outside", "chosen"], NUMBERS),
    "large": NUMBERS.map(str),
    "ratio": REALS,
    "small": REALS,
    "raw": st.sampled_from(["", "YQ==", "YWJjZA==", "YWJjZGU="]),
    "kind": st.sampled_from(["KIND_A", "KIND_B"]),
    "only": st.sampled_from(["KIND_A", "KIND_B"]),
    "counts": st.dictionaries(WORDS, NUMBERS, max_size=3),
    "wait": st.sampled_from(["0s", "1.5s", "60s", "-1s"]),
    "past": st.sampled_from(["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"]),
    "boxed": WORDS,
    "mask": st.sampled_from(["", "a", "a,b", "c"]),
    "parts": st.lists(PART, max_size=2),
}
NEEDED: dict[str, st.SearchStrategy[Any]] = {
    "needed": st.sampled_from(["abc", "ab", "a"]),
    "email": st.sampled_from(["ada@example.com"]),
    "agreed": st.just(value=True),
    "tags": st.lists(st.sampled_from(["a", "b", "", "abcde"]), min_size=1, max_size=3),
    "wanted": st.lists(WORDS, min_size=1, max_size=2),
    "part": st.sampled_from([{"code": "AB", "weight": 1}, {"code": "AB", "weight": 0}]),
}
BASE = {
    "needed": "abc",
    "email": "ada@example.com",
    "agreed": True,
    "tags": ["a"],
    "wanted": ["w"],
    "part": {"code": "AB", "weight": 1},
}
CHOICES: tuple[dict[str, Any], ...] = ({"by_name": "x"}, {"by_number": 2}, {"by_number": 3}, {})
FIELDS = {**LIKELY, **NEEDED}
#: A good instance with one or two fields set to something that is often good, too.
ruled = st.builds(
    lambda changed, choice: {**BASE, **changed, **choice},
    st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
    ),
    st.sampled_from(CHOICES),
)


def errors(schema: dict[str, Any], instance: Any) -> list[str]:
    """Says what a validator that is not ours finds wrong."""
    found = jsonschema_rs.Draft202012Validator(schema).iter_errors(instance)
    return [f"{list(error.instance_path)}: {error.message}" for error in found]


@given(instances)
def test_what_is_valid_is_allowed_by_the_input_schema(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    assume(_accepts(entry, instance))
    assert errors(entry.input_schema, _shortened(entry, instance)) == []


@given(instances)
def test_what_is_printed_is_allowed_by_the_output_schema(pair: tuple[Contract, Any]) -> None:
    entry, instance = pair
    assume(_accepts(entry, instance))
    assert errors(entry.output_schema, json.loads(entry.encode(instance))) == []


@given(ruled)
def test_what_keeps_every_rule_is_allowed_by_both_schemas(instance: Any) -> None:
    entry = contract("check_rules")
    if _accepts(entry, instance):
        assert errors(entry.input_schema, instance) == []
        assert errors(entry.output_schema, json.loads(entry.encode(instance))) == []


@given(ruled, st.sampled_from(sorted(FIELDS)), ANY_JSON)
def test_a_field_of_any_kind_is_accepted_only_if_the_schema_allows_it(
    instance: Any, name: str, value: Any
) -> None:
    entry = contract("check_rules")
    changed = {**instance, name: value}
    if _accepts(entry, changed):
        assert errors(entry.output_schema, json.loads(entry.encode(changed))) == []


def test_the_good_instance_is_good() -> None:
    assert [_accepts(contract("check_rules"), {**BASE, **choice}) for choice in CHOICES] == [
        True,
        True,
        False,
        False,
    ]


def _accepts(entry: Contract, instance: Any) -> bool:
    try:
        entry.decode(json.dumps(instance))
        entry.encode(instance)
    except (InputInvalid, OutputInvalid):
        return False
    return True


def _shortened(entry: Contract, instance: Any) -> Any:
    """Uses the names that the schema offers, which are shorter than some fields' own."""
    offered = {name[:55]: name for name in entry.input_schema.get("properties", {})}
    return {offered.get(name[:55], name): value for name, value in instance.items()}
