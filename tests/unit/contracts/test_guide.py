"""The guide in protos/README.md shows what constructs become; it is made here and held against the code."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.contracts.workspace import HANDLER, PROTOS, loaded
from toolcell.contracts import dialects
from toolcell.contracts.contract import Contract

README = PROTOS.parents[1] / "protos" / "README.md"
BEGIN, END = (
    "<!-- constructs: made by tests/unit/contracts/test_guide.py -->\n",
    "<!-- end of constructs -->\n",
)
SHOWN = {
    "json": "JSON, MCP",
    "openai-chat-strict": "OpenAI strict",
    "anthropic-strict": "Anthropic strict",
    "gemini": "Gemini",
    "gemini-schema": "Gemini `parameters`",
}

#: Declarations, one construct each: what stands in the message, and the notes beneath it.
CONSTRUCTS = (
    "string text = 1; // What it says.",
    "int32 count = 2;",
    "int64 cents = 3;",
    "bool urgent = 4;",
    "double weight = 5 [(buf.validate.field).double = {gt: 0, lte: 30}];",
    "bytes raw = 6;",
    "Color color = 7;",
    "optional string note = 8;",
    "string name = 9 [(buf.validate.field).string = {min_len: 1, max_len: 40}];",
    'string country = 10 [(buf.validate.field).string.pattern = "^[A-Z]{2}$"];',
    "string email = 11 [(buf.validate.field).string.email = true];",
    "repeated string tags = 12 [(buf.validate.field).repeated.unique = true];",
    "map<string, int32> counts = 13;",
    "Part part = 14; // The part.",
    "oneof place { string city = 15; int32 postcode = 16; }",
    "google.protobuf.Timestamp moment = 17;",
    "google.protobuf.Duration span = 18;",
    "google.protobuf.StringValue boxed = 19;",
    "google.protobuf.Struct object = 20;",
    "google.protobuf.Value value = 21;",
    "string old = 22 [deprecated = true];",
)
PROTO = """syntax = "proto3";
package guide.v1;
import "buf/validate/validate.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service Guide { rpc Show(Shown) returns (Shown); }
message Shown {
%s
}
message Part { string sku = 1; }
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_GREEN = 2; }
"""


def properties(contract: Contract, dialect: str) -> dict[str, Any]:
    """Returns the properties of the message; Anthropic's before it is refused for having too many."""
    schema = contract.said(dialects.find(dialect).variants[0].kind).schema
    made: dict[str, Any] = schema["properties"]
    return made


def names(declaration: str) -> list[str]:
    """Returns the names of a declaration's fields, and of the oneof around them."""
    if declaration.startswith("oneof"):
        return ["place", "city", "postcode"]
    return [declaration.partition(" = ")[0].rpartition(" ")[2]]


def lines(contract: Contract) -> Iterator[str]:
    made = {dialect: properties(contract, dialect) for dialect in SHOWN}
    for declaration in CONSTRUCTS:
        yield f"```proto\n{declaration}\n```\n"
        outputs: dict[str, list[str]] = {}
        for dialect, title in SHOWN.items():
            there = {name: made[dialect][name] for name in names(declaration) if name in made[dialect]}
            node = next(iter(there.values())) if len(there) == 1 and "place" not in there else there
            outputs.setdefault(json.dumps(node, ensure_ascii=False), []).append(title)
        yield from (f"- {', '.join(titles)}: `{text}`" for text, titles in outputs.items())
        yield ""


async def test_the_guide_shows_what_constructs_become(tmp_path: Path) -> None:
    text = PROTO % "\n".join(f"  {declaration}" for declaration in CONSTRUCTS)
    snapshot = await loaded(tmp_path, {"protos/guide.proto": text, "handlers/show/handler.py": HANDLER})
    guide = BEGIN + "\n" + "\n".join(lines(snapshot.entries["show"].contract)) + END
    readme = README.read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        head, tail = readme.partition(BEGIN)[0], readme.partition(END)[2]
        readme = head + guide + tail
        README.write_text(readme)
    assert guide in readme
