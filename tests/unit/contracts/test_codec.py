"""What the codec takes, in every spelling that ProtoJSON allows, and what it makes of it."""

import json
from typing import Any

import pytest

from tests.contracts.workspace import attempt, contract
from toolcell.model.errors import InputInvalid, InputTooLarge, OutputInvalid

EVERYTHING = contract("echo_everything")
DURATION = "type.googleapis.com/google.protobuf.Duration"


@pytest.mark.parametrize(
    ("field", "given", "canonical"),
    [
        ("text", "é\U0001f600", "é\U0001f600"),
        ("raw", "-_8", "+/8="),
        ("raw", "+/8=", "+/8="),
        ("i32", "5", 5),
        ("i32", 5.0, 5),
        ("i32", 1e2, 100),
        ("i32", "1e2", 100),
        ("u32", 4294967295, 4294967295),
        ("i64", 9007199254740993, "9007199254740993"),
        ("i64", "-9223372036854775808", "-9223372036854775808"),
        ("u64", 18446744073709551615, "18446744073709551615"),
        ("real", 1, 1.0),
        ("real", "1.5", 1.5),
        ("real", "NaN", "NaN"),
        ("real", "-Infinity", "-Infinity"),
        ("small_real", 0.1, 0.1),
        ("small_real", 0.123456789, 0.12345679),
        ("color", "COLOR_RED", "COLOR_RED"),
        ("color", 1, "COLOR_RED"),
        ("color", 77, 77),
        ("color", 1.0, "COLOR_RED"),
        ("color", "COLOR_OLD", "COLOR_OLD"),
        ("size", "SIZE_TINY", "SIZE_SMALL"),
        ("maybe_text", "", ""),
        ("by_i32", {"-1": {"name": "x"}}, {"-1": {"name": "x", "parts": []}}),
        ("by_flag", {"true": 1}, {"true": 1.0}),
        ("moment", "2026-01-31t12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"),
        ("moment", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("moment", "2026-01-31T12:00:00.1234567899Z", "2026-01-31T12:00:00.123456789Z"),
        ("span", "-0.5s", "-0.500s"),
        ("span", "-0s", "0s"),
        ("span", "1.000001s", "1.000001s"),
        ("mask", "fooBar,a.bC", "fooBar,a.bC"),
        ("mask", "foo_bar", "fooBar"),
        ("mask", "", ""),
        ("object", {"a": [1, None, {"b": "c"}]}, {"a": [1, None, {"b": "c"}]}),
        ("value", None, None),
        ("values", [None, 1], [None, 1]),
        ("any", {}, {}),
        ("any", {"@type": DURATION, "value": "1s"}, {"@type": DURATION, "value": "1s"}),
        ("null", None, None),
        ("null", "NULL_VALUE", None),
        ("boxed_i64", 5, "5"),
        ("boxed_text", "", ""),
        ("empty", {}, {}),
    ],
)
def test_every_spelling_becomes_the_canonical_one(field: str, given: Any, canonical: Any) -> None:
    decoded = json.loads(EVERYTHING.decode(json.dumps({field: given})))
    assert decoded[field] == canonical
    assert type(decoded[field]) is type(canonical)


@pytest.mark.parametrize("text", ["", " \n", "{}"])
def test_empty_arguments_are_an_empty_object_with_its_zeros(text: str) -> None:
    decoded = json.loads(EVERYTHING.decode(text))
    zeros = {
        "text": "",
        "i32": 0,
        "i64": "0",
        "real": 0.0,
        "flag": False,
        "color": "COLOR_UNSPECIFIED",
        "texts": [],
    }
    assert decoded.items() >= {**zeros, "by_text": {}, "null": None}.items()
    assert not {"inner", "maybe_text", "city", "moment", "value"} & decoded.keys()


def test_null_is_absence() -> None:
    nulls = json.dumps(
        {"text": None, "inner": None, "texts": None, "by_text": None, "city": None, "boxed_text": None}
    )
    assert EVERYTHING.decode(nulls) == EVERYTHING.decode("{}")


def test_names_come_out_as_the_proto_has_them_whichever_way_they_came_in() -> None:
    long = "a_name_that_is_far_too_long_for_any_of_the_providers_of_language_models"
    shown = next(name for name in EVERYTHING.input_schema["properties"] if name.startswith(long[:50]))
    assert len(shown) == 64
    decoded = json.loads(EVERYTHING.decode(json.dumps({"smallReal": 1, "$ref": "x", shown: "y"})))
    assert (decoded["small_real"], decoded["renamed"], decoded[long]) == (1.0, "x", "y")


def test_fields_come_out_in_declared_order() -> None:
    there = EVERYTHING.decode('{"i32": 1, "text": "a", "maybe_text": "b"}')
    assert there == EVERYTHING.decode('{"maybe_text": "b", "text": "a", "i32": 1}')
    assert [*json.loads(there)][:2] == ["text", "raw"]


@pytest.mark.parametrize(
    ("arguments", "field", "rule"),
    [
        ('{"text": 1}', "text", "WRONG_TYPE"),
        ('{"flag": "true"}', "flag", "WRONG_TYPE"),
        ('{"flag": 1}', "flag", "WRONG_TYPE"),
        ('{"i32": 5.5}', "i32", "WRONG_TYPE"),
        ('{"i32": true}', "i32", "WRONG_TYPE"),
        ('{"i32": " 5"}', "i32", "WRONG_TYPE"),
        ('{"i32": 2147483648}', "i32", "OUT_OF_RANGE"),
        ('{"u32": -1}', "u32", "OUT_OF_RANGE"),
        ('{"i64": "9223372036854775808"}', "i64", "OUT_OF_RANGE"),
        ('{"real": 1e400}', "real", "OUT_OF_RANGE"),
        ('{"real": "inf"}', "real", "WRONG_TYPE"),
        ('{"small_real": 1e39}', "small_real", "OUT_OF_RANGE"),
        ('{"raw": "a"}', "raw", "OUT_OF_RANGE"),
        ('{"raw": "YQ="}', "raw", "OUT_OF_RANGE"),
        ('{"raw": "Y Q=="}', "raw", "OUT_OF_RANGE"),
        ('{"color": "RED"}', "color", "OUT_OF_RANGE"),
        ('{"color": 2147483648}', "color", "WRONG_TYPE"),
        ('{"color": []}', "color", "WRONG_TYPE"),
        ('{"color": 1.5}', "color", "WRONG_TYPE"),
        ('{"color": 1.5e16}', "color", "WRONG_TYPE"),
        ('{"color": 1e400}', "color", "WRONG_TYPE"),
        ('{"color": true}', "color", "WRONG_TYPE"),
        ('{"texts": "a"}', "texts", "WRONG_TYPE"),
        ('{"texts": ["a", null]}', "texts[1]", "WRONG_TYPE"),
        ('{"i64s": [1, "x"]}', "i64s[1]", "WRONG_TYPE"),
        ('{"inners": [{}, {"parts": [{"name": 1}]}]}', "inners[1].parts[0].name", "WRONG_TYPE"),
        ('{"by_text": {"k": 1}}', 'by_text["k"]', "WRONG_TYPE"),
        ('{"by_i32": {"x": {}}}', 'by_i32["x"]', "WRONG_TYPE"),
        ('{"by_flag": {"yes": 1}}', 'by_flag["yes"]', "WRONG_TYPE"),
        ('{"inner": []}', "inner", "WRONG_TYPE"),
        ('{"city": "a", "postcode": 1}', "postcode", "ONEOF_CONFLICT"),
        ('{"moment": "2026-02-30T00:00:00Z"}', "moment", "OUT_OF_RANGE"),
        ('{"moment": "2026-01-01T00:00:60Z"}', "moment", "OUT_OF_RANGE"),
        ('{"moment": "0001-01-01T00:00:00+01:00"}', "moment", "OUT_OF_RANGE"),
        ('{"moment": "٢٠٢٦-01-01T00:00:00Z"}', "moment", "OUT_OF_RANGE"),
        ('{"moment": 5}', "moment", "WRONG_TYPE"),
        ('{"span": "+1s"}', "span", "OUT_OF_RANGE"),
        ('{"span": "315576000001s"}', "span", "OUT_OF_RANGE"),
        ('{"mask": "_a"}', "mask", "OUT_OF_RANGE"),
        ('{"object": []}', "object", "WRONG_TYPE"),
        ('{"object": {"a": 1e999}}', "object", "OUT_OF_RANGE"),
        ('{"list": {}}', "list", "WRONG_TYPE"),
        ('{"any": {"a": 1}}', "any", "WRONG_TYPE"),
        ('{"any": {"@type": "type.googleapis.com/no.Such"}}', "any", "WRONG_TYPE"),
        (f'{{"any": {{"@type": "{DURATION}"}}}}', "any", "UNKNOWN_FIELD"),
        ('{"null": 0}', "null", "WRONG_TYPE"),
        ('{"txt": "a"}', "txt", "UNKNOWN_FIELD"),
        ('{"text": "a", "text": "a"}', "text", "DUPLICATE_KEY"),
        ('{"small_real": 1, "smallReal": 1}', "small_real", "DUPLICATE_KEY"),
        ('{"by_text": {"k": "", "k": ""}}', 'by_text["k"]', "DUPLICATE_KEY"),
        ('{"by_i32": {"1": {}, "1.0": {}}}', 'by_i32["1.0"]', "DUPLICATE_KEY"),
        ('{"object": {"k": 1, "k": 1}}', "object", "DUPLICATE_KEY"),
        (r'{"text": "\ud800"}', "text", "LONE_SURROGATE"),
        (r'{"object": {"\udc00": 1}}', "object", "LONE_SURROGATE"),
        ("null", "", "NOT_OBJECT"),
        ("[]", "", "NOT_OBJECT"),
        ("5", "", "NOT_OBJECT"),
        ("{", "", "NOT_JSON"),
        ("{} {}", "", "NOT_JSON"),
        ("```json\n{}\n```", "", "NOT_JSON"),
        ('{"real": NaN}', "", "NOT_JSON"),
        ('{"real": -Infinity}', "", "NOT_JSON"),
        ('{"i32": ' + "9" * 5000 + "}", "", "OUT_OF_RANGE"),
        ("[" * 100_000, "", "TOO_DEEP"),
        ('{"inner":' * 100_000, "", "TOO_DEEP"),
    ],
)
def test_what_is_wrong_is_named(arguments: str, field: str, rule: str) -> None:
    _, violations = attempt(EVERYTHING, arguments)
    assert [(v.field, v.rule) for v in violations] == [(field, rule)]


@pytest.mark.parametrize("field", ["object", "value", "inner"])
def test_the_hundred_and_first_level_is_too_deep(field: str) -> None:
    opening = {"object": '{"a":', "value": "[", "inner": '{"parts":[{"name":"","parts":['}[field]
    closing = {"object": "}", "value": "]", "inner": "]}]}"}[field]
    middle = "1" if field == "value" else '""'
    deep = f'{{"{field}":{opening * 101}{middle}{closing * 101}}}'
    _, violations = attempt(EVERYTHING, deep)
    assert "TOO_DEEP" in {v.rule for v in violations}


def test_ninety_nine_levels_are_not() -> None:
    deep = '{"value":' + "[" * 99 + "]" * 99 + "}"
    assert attempt(EVERYTHING, deep)[1] == ()


def test_everything_that_is_wrong_is_named_at_once() -> None:
    arguments = {"texts": [1, "a", 2], "i32": "x", "inner": {"nam": 1}, "colour": 1, "color": "COLOR_REDD"}
    _, violations = attempt(EVERYTHING, json.dumps(arguments))
    assert [v.field for v in violations] == ["colour", "i32", "color", "inner.nam", "texts[0]", "texts[2]"]
    told = {v.field: v.description for v in violations}
    assert told["inner.nam"] == "unknown field; did you mean `name`?"
    assert told["color"] == "must be one of COLOR_RED, COLOR_GREEN; did you mean `COLOR_RED`?"


def test_at_most_twenty_violations_are_named() -> None:
    _, violations = attempt(EVERYTHING, json.dumps({"texts": list(range(1000))}))
    assert len(violations) == 20


@pytest.mark.parametrize(
    "field", ["text", "i32", "color", "moment", "span", "raw", "mask", "real", "i64s", "any"]
)
def test_a_rejected_value_is_never_repeated(field: str) -> None:
    secret = "s3cr3t password!"
    value = {"text": [secret], "i64s": [secret], "any": {"@type": secret}}.get(field, secret)
    with pytest.raises(InputInvalid) as refused:
        EVERYTHING.decode(json.dumps({field: value}))
    assert secret not in repr((refused.value.told, refused.value.message, refused.value.metadata))


def test_names_that_the_caller_made_up_are_cut() -> None:
    _, violations = attempt(EVERYTHING, json.dumps({"x" * 5000 + "\n": 1, "by_text": {"k" * 5000: 1}}))
    assert all(len(v.field) < 100 and v.field.isprintable() for v in violations)


def test_a_million_items_are_taken() -> None:
    assert len(json.loads(EVERYTHING.decode(json.dumps({"texts": ["a"] * 999_999})))["texts"]) == 999_999


@pytest.mark.parametrize("field", ["texts", "inners", "list", "object", "by_text"])
def test_more_values_are_not(field: str) -> None:
    many = {"inners": "{}", "list": "1", "texts": '""'}.get(field)
    text = (
        f"[{','.join([many or ''] * 1_000_001)}]"
        if many
        else json.dumps({str(n): "" for n in range(1_000_001)})
    )
    _, violations = attempt(EVERYTHING, f'{{"{field}":{text}}}')
    assert [(v.field, v.rule) for v in violations] == [(field, "TOO_LARGE")]


def test_arguments_beyond_sixteen_mebibytes_are_not_looked_at() -> None:
    with pytest.raises(InputTooLarge) as refused:
        EVERYTHING.decode("[" * (16 << 20) + "]")
    assert refused.value.metadata["limit"] == str(16 << 20)


def test_proto2_must_have_what_it_requires_and_knows_only_its_own_values() -> None:
    legacy = contract("echo_legacy")
    assert json.loads(legacy.decode('{"name": "a"}')) == {"name": "a", "item": []}
    _, violations = attempt(legacy, '{"level": 9, "item": [{"label": 1}], "[constructs.v1.extra]": "x"}')
    assert [(v.field, v.rule) for v in violations] == [
        ("[constructs.v1.extra]", "UNKNOWN_FIELD"),
        ("name", "required"),
        ("level", "OUT_OF_RANGE"),
        ("item[0].label", "WRONG_TYPE"),
    ]


def test_fields_of_one_side_are_refused_on_the_other() -> None:
    sided = contract("echo_sided")
    assert sided.decode('{"name": "a", "secret_hint": "b"}') == '{"name":"a","secret_hint":"b"}'
    _, violations = attempt(sided, '{"version": 3, "createTime": "2026-01-01T00:00:00Z"}')
    assert [(v.field, v.rule) for v in violations] == [
        ("version", "UNKNOWN_FIELD"),
        ("createTime", "UNKNOWN_FIELD"),
        ("name", "required"),
    ]
    assert sided.encode({"version": 3}) == '{"name":"","version":3}'
    with pytest.raises(OutputInvalid):
        sided.encode({"secret_hint": "b"})


def test_a_struct_takes_any_object() -> None:
    assert contract("free").decode('{"a": {"b": [1, 2.5, "c", null]}}') == '{"a":{"b":[1,2.5,"c",null]}}'
    assert contract("nothing").decode("") == "{}"


@pytest.mark.parametrize(
    "value", [None, [], "text", 5, {1: 2}, {"text": b"raw"}, {"real": float("nan")}, object()]
)
def test_an_answer_that_is_no_json_of_the_contract_is_refused(value: object) -> None:
    with pytest.raises(OutputInvalid) as refused:
        EVERYTHING.encode(value)
    assert refused.value.violations
    assert refused.value.metadata["tool"] == "echo_everything"


def test_the_first_wrong_field_of_an_answer_is_named() -> None:
    with pytest.raises(OutputInvalid) as refused:
        EVERYTHING.encode({"inner": {"name": 5}})
    assert refused.value.metadata["field"] == "inner.name"


def test_an_answer_is_printed_with_its_zeros() -> None:
    assert contract("tree").encode({"children": [{}]}) == (
        '{"label":"","children":[{"label":"","children":[],"named":{}}],"named":{}}'
    )
