"""The lock notices what models are shown differently, and says it in sentences."""

from pathlib import Path

import pytest

from tests.contracts.workspace import loaded, proto
from toolcell.contracts import fingerprints
from toolcell.contracts.fingerprints import Lock, LockInvalid

FIELDS = "string query = 1; int32 count = 2;"
RULES = 'import "buf/validate/validate.proto";'


async def lock(root: Path, fields: str, name: str = "Find") -> Lock:
    text = proto("crm.v1", name, imports=RULES).replace("string query = 1;", fields)
    entries = (await loaded(root, {"protos/crm.proto": text})).entries
    return fingerprints.lock(fingerprints.offered(entries.values()))


async def edited(root: Path, fields: str, name: str = "Find") -> list[str]:
    before = await lock(root, FIELDS)
    assert fingerprints.parse(fingerprints.text(before)) == before
    return list(fingerprints.changes(before, await lock(root, fields, name)))


async def test_nothing_changes_nothing(tmp_path: Path) -> None:
    assert await edited(tmp_path, FIELDS) == []
    assert await edited(tmp_path, f"// Words may change.\n{FIELDS}") == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            "string query = 1 [(buf.validate.field).required = true]; int32 count = 2;",
            "field query became required",
        ),
        ("string query = 1;", "field count was removed"),
        (f"{FIELDS} bool sure = 3;", "field sure was added"),
        (f"{FIELDS} bool sure = 3 [(buf.validate.field).required = true];", "required field sure was added"),
        ("string query = 1; string count = 2;", "field count was {"),
    ],
)
async def test_a_change_of_every_dialect_is_told_once(tmp_path: Path, fields: str, sentence: str) -> None:
    changes = await edited(tmp_path, fields)
    assert all(change.startswith("this edit changes the ") for change in changes)
    assert all(f"of find: {sentence}" in change for change in changes)
    assert sum(change.count("openai-chat-strict") for change in changes) == 1


async def test_a_change_of_some_dialects_names_them(tmp_path: Path) -> None:
    changes = await edited(
        tmp_path, "string query = 1 [(buf.validate.field).string.max_len = 9]; int32 count = 2;"
    )
    assert [change.split(" of find")[0].removeprefix("this edit changes the ") for change in changes] == [
        "anthropic, json, mcp, openai-chat, openai-responses dialects",
        "gemini-schema dialect",
    ]


async def test_a_tool_that_comes_and_one_that_goes(tmp_path: Path) -> None:
    assert await edited(tmp_path, FIELDS, "Look") == [
        "this edit removes the tool find",
        "this edit adds the tool look",
    ]


async def test_a_tool_that_strict_cannot_say_any_more(tmp_path: Path) -> None:
    changes = await edited(tmp_path, f"{FIELDS} Ask more = 3;")
    assert "this edit changes the anthropic-strict dialect of find: it is sent without strict" in changes


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "tools": {}, "forms": {}}',
        '{"version": 1, "tools": {"a": {"json": "abc"}}, "forms": {}}',
        '{"version": 1, "tools": [], "forms": {}}',
    ],
)
def test_what_is_no_lock_is_refused(content: str) -> None:
    with pytest.raises(LockInvalid):
        fingerprints.parse(content)
