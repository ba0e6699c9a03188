"""`-a key=value` becomes what the tool's schema asks for."""

from typing import Any

import pytest

from toolcell.cli.arguments import ArgumentError, typed

SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "count": {"type": "integer"},
        "weight": {"type": "number"},
        "is_urgent": {"type": "boolean"},
        "big": {"type": ["string", "integer"]},
        "speed": {"$ref": "#/$defs/Speed"},
        "address": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "labels": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "$defs": {
        "Speed": {"enum": ["SLOW", "FAST"]},
        "Address": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "number": {"type": "integer"},
                "next": {"$ref": "#/$defs/Address"},
            },
        },
    },
}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["query=ada@example.com"], {"query": "ada@example.com"}),
        (["query=42"], {"query": "42"}),
        (["query=a=b"], {"query": "a=b"}),
        (["query="], {"query": ""}),
        (["query={}"], {"query": "{}"}),
        (["count=42"], {"count": 42}),
        (["count=9007199254740993"], {"count": 9007199254740993}),
        (["count=many"], {"count": "many"}),
        (["count=[1]"], {"count": "[1]"}),
        (["weight=2.5"], {"weight": 2.5}),
        (["is_urgent=true", "count=null"], {"is_urgent": True, "count": None}),
        (["big=9007199254740993"], {"big": "9007199254740993"}),
        (["speed=FAST"], {"speed": "FAST"}),
        (["address.city=1010", "address.number=7"], {"address": {"city": "1010", "number": 7}}),
        (["address.next.next.city=42"], {"address": {"next": {"next": {"city": "42"}}}}),
        (['address={"city": "Bern"}', "address.number=7"], {"address": {"city": "Bern", "number": 7}}),
        (["tags=7", "tags=b"], {"tags": ["7", "b"]}),
        (['tags=["a", "b"]', "tags=c"], {"tags": ["a", "b", "c"]}),
        (["sizes=7"], {"sizes": [7]}),
        (["labels.a=1"], {"labels": {"a": 1}}),
        (["unknown=7", "other=text"], {"unknown": 7, "other": "text"}),
    ],
)
def test_a_value_gets_the_type_of_its_field(words: list[str], wanted: dict[str, Any]) -> None:
    assert typed(words, SCHEMA) == wanted


def test_words_add_to_the_arguments_given() -> None:
    assert typed(["count=2"], SCHEMA, {"query": "x", "count": 1}) == {"query": "x", "count": 2}


@pytest.mark.parametrize("word", ["query", "=x", "", ".a=1", "a..b=1", "a.=1"])
def test_a_word_without_a_name_or_a_value_is_refused(word: str) -> None:
    with pytest.raises(ArgumentError, match="is not key=value"):
        typed([word], SCHEMA)


def test_a_word_that_nests_deeper_than_a_server_takes_is_refused() -> None:
    deepest = typed([".".join("a" * 100) + "=1"], SCHEMA)
    assert str(deepest).count("{") == 100
    with pytest.raises(ArgumentError, match="more than 100 levels"):
        typed([".".join("a" * 101) + "=1"], SCHEMA)


@pytest.mark.parametrize(("words", "base"), [(["count=1", "count.x=2"], None), (["tags=a"], {"tags": "x"})])
def test_a_place_that_is_taken_is_refused(words: list[str], base: dict[str, Any] | None) -> None:
    with pytest.raises(ArgumentError, match="has a value already"):
        typed(words, SCHEMA, base)


def test_any_schema_will_do() -> None:
    assert typed(["a.b=1", "c=[1]"], {}) == {"a": {"b": 1}, "c": [1]}
