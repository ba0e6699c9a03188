"""A dialect renders a tool the same way every time, says what it simplified, leaves out what cannot run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contracts.workspace import HANDLER, contract, proto, workspace
from toolcell.contracts import dialects
from toolcell.contracts.catalog import Entry
from toolcell.model.errors import DialectUnknown, InputInvalid

FILES = {
    "protos/crm.proto": proto("crm.v1", "FindCustomer", "SendMail"),
    "handlers/find_customer/handler.py": HANDLER,
}


async def entries(root: Path) -> dict[str, Entry]:
    catalog = workspace(root, FILES)
    await catalog.load()
    return dict(catalog.snapshot.entries)


def described(entry: Entry, description: str) -> Entry:
    return Entry(replace(entry.tool, description=description), entry.contract)


SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "additionalProperties": False}


async def test_openai_chat_is_a_function_that_is_not_strict(tmp_path: Path) -> None:
    rendered = dialects.find("openai-chat").render((await entries(tmp_path))["find_customer"])
    assert (rendered.fit, rendered.notes) == ("OK", ())
    assert json.loads(rendered.text) == {
        "type": "function",
        "function": {
            "name": "find_customer",
            "description": "Does FindCustomer.",
            "parameters": SCHEMA,
            "strict": False,
        },
    }


async def test_json_is_the_tool_as_it_is(tmp_path: Path) -> None:
    entry = (await entries(tmp_path))["find_customer"]
    assert json.loads(dialects.find("json").render(entry).text) == {
        "name": "find_customer",
        "description": "Does FindCustomer.",
        "input_schema": SCHEMA,
        "output_schema": json.loads(entry.contract.output_schema_json),
    }
    titled = Entry(replace(entry.tool, title="Find"), entry.contract)
    assert json.loads(dialects.find("json").render(titled).text)["title"] == "Find"


async def test_a_long_description_ends_with_its_last_whole_sentence(tmp_path: Path) -> None:
    entry = described((await entries(tmp_path))["find_customer"], "Finds. " * 200)
    rendered = dialects.find("openai").render(entry)
    description = json.loads(rendered.text)["function"]["description"]
    assert description == ("Finds. " * 146).strip()
    assert rendered.fit == "SIMPLIFIED"
    assert rendered.notes == ("the description has 1400 characters and was cut at 1024",)


async def test_a_long_sentence_is_cut_where_it_must_be(tmp_path: Path) -> None:
    entry = described((await entries(tmp_path))["find_customer"], "é" * 2000)
    description = json.loads(dialects.find("openai").render(entry).text)["function"]["description"]
    assert description == "é" * 1023 + "…"


@pytest.mark.parametrize("name", [*dialects.DIALECTS])
async def test_a_tool_that_cannot_run_is_left_out_with_the_cause(tmp_path: Path, name: str) -> None:
    rendered = dialects.find(name).render((await entries(tmp_path))["send_mail"])
    assert (rendered.text, rendered.fit) == ("", "LEFT_OUT")
    assert rendered.notes[0].startswith("HANDLER_MISSING: ")


COMMENTED = """
// Finds customers. Not in bulk.
service Search {
  // Finds one. It is quick.
  //
  // Use it first.
  rpc FindOne(Wanted) returns (Answer);
}
// Wanted is what is looked for. It has rules.
message Wanted {
  // The name. Whole or in part.
  string name = 1;
  // The place. One of two.
  oneof place { string city = 2; int64 number = 3; }
}
"""


@pytest.mark.parametrize("name", [*dialects.DIALECTS])
async def test_a_compact_tool_keeps_first_sentences_and_rules(tmp_path: Path, name: str) -> None:
    files = {
        "protos/one.proto": proto("one.v1", "Other", more=COMMENTED),
        "handlers/find_one/handler.py": HANDLER,
    }
    catalog = workspace(tmp_path, files)
    await catalog.load()
    entry = catalog.snapshot.entries["find_one"]
    dialect = dialects.find(name)
    whole, compact = (dialects.render(dialect, entry, is_compact=is_compact) for is_compact in (False, True))
    assert len(compact.text) < len(whole.text)
    assert compact.fit == whole.fit
    for kept in ("Finds one. It is quick.", "The name.", "64-bit integer"):
        assert kept in compact.text
    for gone in ("Use it first.", "Whole or in part.", "It has rules."):
        assert gone in whole.text
        assert gone not in compact.text


@pytest.mark.parametrize("name", [*dialects.DIALECTS])
async def test_what_is_rendered_is_kept_and_the_same_when_made_anew(tmp_path: Path, name: str) -> None:
    first, second = (await entries(tmp_path))["find_customer"], (await entries(tmp_path))["find_customer"]
    dialect = dialects.find(name)
    assert dialects.render(dialect, first) is dialects.render(dialect, first)
    assert dialect.render(first).text == dialect.render(second).text


def test_every_dialect_is_found_by_its_name_and_alias() -> None:
    assert {name: dialects.find(name).name for name in dialects.DIALECTS} == {n: n for n in dialects.DIALECTS}
    assert dialects.find("openai").name == "openai-chat"


def test_an_unknown_dialect_is_refused_with_those_there_are() -> None:
    with pytest.raises(DialectUnknown) as refused:
        dialects.find("klingon")
    assert refused.value.metadata == {
        "dialect": "klingon",
        "known": ", ".join(sorted({*dialects.DIALECTS, "openai"})),
    }


@pytest.mark.parametrize("name", [*dialects.DIALECTS])
@pytest.mark.parametrize("depth", [50, 101, 300])
def test_what_is_nested_too_deeply_is_refused_in_words(name: str, depth: int) -> None:
    entry, dialect = contract("tree"), dialects.find(name)
    is_paired = entry.said(dialect._kind(entry)).step is not None and name.endswith("strict")
    for opening, closing in (
        ('{"left":', "}"),
        ('{"children":[', "]}"),
        (('{"named":[{"key":"a","value":', "}]}") if is_paired else ('{"named":{"a":', "}}")),
    ):
        try:
            dialect.decode(entry, f"{opening * depth}{{}}{closing * depth}")
        except InputInvalid as refused:
            found = {violation.rule for violation in refused.violations}
        else:
            found = set()
        assert found <= {"TOO_DEEP", "WRONG_TYPE"}
        assert bool(found) is (depth > 100 or name == "gemini-schema" or "WRONG_TYPE" in found)
