"""protovalidate's verdicts arrive as violations with a path, a sentence and the rule's id, all at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.workspace import attempt, contract, contracts, proto, workspace
from toolcell.contracts import rules
from toolcell.contracts.contract import Contract
from toolcell.model.errors import InputInvalid, OutputInvalid

GOOD: dict[str, Any] = {
    "needed": "abc",
    "email": "ada@example.com",
    "agreed": True,
    "tags": ["a"],
    "wanted": ["w"],
    "part": {"code": "AB", "weight": 1},
    "by_number": 2,
}


def broken(change: dict[str, Any]) -> list[tuple[str, str]]:
    _, violations = attempt(contract("check_rules"), json.dumps({**GOOD, **change}))
    return [(violation.field, violation.rule) for violation in violations]


def test_good_arguments_pass() -> None:
    assert broken({}) == []


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"one_of": "c"}, "one_of", "string.in"),
        ({"none_of": "forbidden"}, "none_of", "string.not_in"),
        ({"exact": "ab"}, "exact", "string.len"),
        ({"needed": ""}, "needed", "string.min_len"),
        ({"pattern": "A"}, "pattern", "string.pattern"),
        ({"email": ""}, "email", "required"),
        ({"outside": 7}, "outside", "int32.gt_lt_exclusive"),
        ({"large": -1}, "large", "int64.gte"),
        ({"ratio": "NaN"}, "ratio", "double.finite"),
        ({"raw": "YWJjZGU="}, "raw", "bytes.max_len"),
        ({"kind": "KIND_B"}, "kind", "enum.not_in"),
        ({"kind": 9}, "kind", "enum.defined_only"),
        ({"tags": ["a", "a"]}, "tags", "repeated.unique"),
        ({"tags": ["a", "abcde"]}, "tags[1]", "string.max_len"),
        ({"counts": {"a": -1}}, 'counts["a"]', "int32.gte"),
        ({"counts": {"abcd": 1}}, 'counts["abcd"]', "string.max_len"),
        ({"wait": "60s"}, "wait", "duration.gte_lt"),
        ({"past": "2999-01-01T00:00:00Z"}, "past", "timestamp.lt_now"),
        ({"boxed": "abcd"}, "boxed", "string.max_len"),
        ({"part": None}, "part", "required"),
        (
            {"parts": [{"code": "AB", "weight": 1}, {"code": "ab", "weight": 1}]},
            "parts[1].code",
            "string.pattern",
        ),
        ({"by_number": None}, "choice", "required"),
        ({"by_number": 3}, "by_number", "by_number.even"),
        ({"low": 60, "high": 50}, "", "rules.sum"),
        ({"prefix": "a.bc", "suffix": "x$"}, "", "message.oneof"),
        ({"packed": {"@type": "type.googleapis.com/rules.v1.Part"}}, "packed", "any.in"),
    ],
)
def test_each_rule_is_named_with_its_field(change: dict[str, Any], field: str, rule: str) -> None:
    assert (field, rule) in broken(change)


def test_all_broken_rules_are_named_at_once() -> None:
    assert len(broken({"needed": "a", "tags": [], "high": 51, "part": {"code": "x"}})) == 5


def test_broken_rules_and_wrong_types_are_named_together() -> None:
    found = broken({"needed": "a", "low": "x", "tags": [1], "unknown": 1, "part": {"code": 5, "weight": 0}})
    assert found == [
        ("unknown", "UNKNOWN_FIELD"),
        ("low", "WRONG_TYPE"),
        ("tags[0]", "WRONG_TYPE"),
        ("part.code", "WRONG_TYPE"),
        ("needed", "string.min_len"),
        ("part.weight", "int32.gt"),
    ]


def test_what_is_told_to_the_model_names_every_field() -> None:
    with pytest.raises(InputInvalid) as refused:
        contract("check_rules").decode(json.dumps({**GOOD, "needed": "a", "high": 51}))
    assert refused.value.told == (
        "Arguments rejected: needed: must be at least 2 characters; high: must be less than or equal to 50. "
        "Correct these fields and call again."
    )


@pytest.mark.parametrize(
    ("kind", "rule", "given", "says"),
    [
        ("string", "string.min_len = 1", "", "must be at least 1 character"),
        ("string", "string.min_len = 11", "", "must be at least 11 characters"),
        ("string", "string.max_bytes = 1", "ab", "must be at most 1 byte"),
        ("map<string, int32>", "map.min_pairs = 1", {}, "map must be at least 1 entry"),
        ("repeated int32", "repeated.min_items = 1", [], "must contain at least 1 item"),
        ("repeated int32", "repeated.min_items = 2", [], "must contain at least 2 items"),
    ],
)
async def test_what_is_counted_is_said_in_grammar(
    tmp_path: Path, kind: str, rule: str, given: object, says: str
) -> None:
    entry = await one(tmp_path, f"Loop {{ {kind} s = 1 [(buf.validate.field).{rule}]; }}")
    [violation] = attempt(entry, json.dumps({"s": given}))[1]
    assert violation.description == says


def test_rules_bind_answers_too() -> None:
    with pytest.raises(OutputInvalid) as refused:
        contract("check_rules").encode({**GOOD, "needed": "a"})
    assert [v.rule for v in refused.value.violations] == ["string.min_len"]


async def one(root: Path, message: str) -> Contract:
    rpc = f"service Other {{ rpc Do(Loop) returns (Answer); }} message {message}"
    imports = 'import "buf/validate/validate.proto"; import "google/protobuf/struct.proto";'
    catalog = workspace(root, {"protos/a.proto": proto("a", imports=imports, more=rpc)})
    await catalog.load()
    return catalog.snapshot.entries["do"].contract


def field_with(kind: str, expression: str) -> str:
    rule = f'{{id: "x" expression: "{expression}"}}'
    return f"Loop {{ {kind} f = 1 [(buf.validate.field).cel = {rule}]; }}"


async def test_a_rule_that_fails_on_a_value_refuses_it(tmp_path: Path) -> None:
    entry = await one(tmp_path, field_with("int32", "10 / this > 1"))
    assert attempt(entry, '{"f": 2}')[1] == ()
    [wrong] = attempt(entry, '{"f": 0}')[1]
    assert wrong.rule == "EVALUATION_FAILED"


async def test_rules_see_free_objects_of_any_depth_we_take(tmp_path: Path) -> None:
    entry = await one(tmp_path, field_with("google.protobuf.Struct", "size(this) < 2"))
    for depth, rules_broken in ((1, []), (30, []), (45, ["TOO_DEEP"]), (90, ["TOO_DEEP"])):
        deep = '{"f":' + '{"a":' * depth + "1" + "}" * depth + "}"
        assert [v.rule for v in attempt(entry, deep)[1]] == rules_broken
    assert [v.rule for v in attempt(entry, '{"f": {"a": 1, "b": [1, null, {"c": "d"}]}}')[1]] == ["x"]


async def test_words_that_a_rule_makes_are_cut(tmp_path: Path) -> None:
    words = "this == '' ? '' : '" + "x" * 600 + "'"
    entry = await one(tmp_path, field_with("string", words))
    [wrong] = attempt(entry, '{"f": "a"}')[1]
    assert wrong.description == "x" * rules._LONGEST


def test_of_many_tools_rules_are_compiled_where_they_are_used() -> None:
    entry = contracts.__wrapped__()["check_rules"]
    entry.definitions.rules.forget()
    assert attempt(entry, json.dumps(GOOD))[1] == ()
    assert entry.input_schema["required"] == contract("check_rules").input_schema["required"]
