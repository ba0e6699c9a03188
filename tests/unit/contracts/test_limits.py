"""What a provider counts is counted, and what exceeds its limits is said of the tool or of the request."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.workspace import HANDLER, loaded, proto
from toolcell.contracts import dialects
from toolcell.contracts.catalog import Entry
from toolcell.contracts.dialects.limits import Limits, Size, measure, total
from toolcell.contracts.dialects.rendered import Rendered

SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x", "yy"]},
        "list": {"type": "array", "items": {"type": "object", "properties": {"b": {"$ref": "#/$defs/D"}}}},
    },
    "required": ["a"],
    "$defs": {"D": {"type": "object", "properties": {"c": {"anyOf": [{"type": "null"}]}}}},
}


def test_definitions_count_on_their_own() -> None:
    assert measure(SCHEMA) == Size(
        tools=1,
        strict_tools=1,
        properties=4,
        depth=2,
        characters=len("a" + "list" + "b" + "c" + "D" + "xyy"),
        enum_values=2,
        optional=2,
        unions=1,
    )
    assert measure(SCHEMA, is_strict=False).optional == 0


def test_only_large_enums_are_bounded_by_their_text() -> None:
    for count, characters in ((250, 0), (251, 251)):
        assert measure({"type": "string", "enum": ["x"] * count}).enum_characters == characters


def test_sizes_add_up_and_depths_do_not() -> None:
    assert total([Size(tools=1, depth=3), Size(tools=1, depth=2)]) == Size(tools=2, depth=3)
    assert total([]) == Size()


def test_a_broken_limit_is_a_sentence() -> None:
    assert Limits((("tools", 1), ("depth", 9))).broken(Size(tools=2)) == [
        "it has 2 tools, at most 1 are taken"
    ]


async def entry(root: Path, more: str) -> Entry:
    text = proto("big.v1", "Find").replace("string query = 1;", more)
    files = {"protos/big.proto": text, "handlers/find/handler.py": HANDLER}
    return (await loaded(root, files)).entries["find"]


async def test_a_schema_too_large_for_strict_is_sent_without(tmp_path: Path) -> None:
    fields = " ".join(f"string field_{at} = {at};" for at in range(2, 1000))
    more = [f"More{n} more = 1; }} message More{n} {{ {fields}" for n in range(1, 6)]
    rendered = dialects.find("openai-chat-strict").render(await entry(tmp_path, f"{fields} {' '.join(more)}"))
    assert '"strict":false' in rendered.text
    assert rendered.notes == ("sent without strict, as it has 5,993 properties, at most 5,000 are taken",)


async def test_too_many_optional_properties_for_anthropic(tmp_path: Path) -> None:
    fields = " ".join(f"string field_{at} = {at};" for at in range(1, 26))
    rendered = dialects.find("anthropic-strict").render(await entry(tmp_path, fields))
    assert '"strict"' not in rendered.text
    assert "25 optional properties" in rendered.notes[0]


async def test_what_multiplies_without_references_is_left_out(tmp_path: Path) -> None:
    wide = " ".join(f"Level1 f{at} = {at};" for at in range(1, 9))
    levels = [
        f"message Level{n} {{ " + " ".join(f"Level{n + 1} f{at} = {at};" for at in range(1, 9)) + " }"
        for n in range(1, 5)
    ]
    text = proto("big.v1", "Find", more="\n".join([*levels, "message Level5 { string end = 1; }"]))
    files = {
        "protos/big.proto": text.replace("string query = 1;", wide),
        "handlers/find/handler.py": HANDLER,
    }
    found = (await loaded(tmp_path, files)).entries["find"]
    rendered = dialects.find("gemini-schema").render(found)
    assert (rendered.fit, rendered.text) == ("LEFT_OUT", "")
    assert "2,000" in rendered.notes[0]
    assert dialects.find("gemini").render(found).fit == "OK"


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("openai-chat", Size(tools=129), ["129 tools"]),
        ("openai-responses-strict", Size(tools=128), []),
        ("anthropic", Size(tools=1000), []),
        (
            "anthropic-strict",
            Size(strict_tools=21, optional=25, unions=17),
            ["21 strict", "25 opt", "17 prop"],
        ),
        ("gemini", Size(tools=1000), []),
    ],
)
def test_limits_of_a_request_are_those_of_its_provider(name: str, size: Size, said: list[str]) -> None:
    broken = dialects.broken_limits(dialects.find(name), [Rendered("{}", "OK", (), size)])
    assert len(broken) == len(said)
    assert all(words in sentence for words, sentence in zip(said, broken, strict=True))


async def test_tools_that_are_left_out_do_not_count(tmp_path: Path) -> None:
    found = await entry(tmp_path, "string a = 1;")
    rendered = replace(dialects.find("openai-chat").render(found), text="", size=Size(tools=500))
    assert dialects.broken_limits(dialects.find("openai-chat"), [rendered]) == []
