"""A workspace with one good service, and everything that can be wrong with the others."""

from pathlib import Path

GOOD = """syntax = "proto3";
package doors.v1;
import "buf/validate/validate.proto";
import "toolcell/v1/options.proto";

// DoorService has a tool for each way a call can go.
service DoorService {
  // Answers with what it got.
  rpc Echo(Item) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  // Fails as its author declares.
  rpc Decline(Item) returns (Item);
  // Fails with a code of its own.
  rpc Miss(Item) returns (Item);
  // Fails with a code that only the server may say.
  rpc Pretend(Item) returns (Item);
  // Fails with more words than a status holds.
  rpc Rant(Item) returns (Item);
  // Lets one call in, for whom it concerns.
  rpc Scarce(Item) returns (Item);
  // Fails as nobody declared.
  rpc Crash(Item) returns (Item);
  // Answers with something that is no Item.
  rpc Lie(Item) returns (Item);
  // Writes `began` as a progress, then waits until it is killed.
  rpc Wait(Item) returns (Item);
  // Runs out of its time.
  rpc Linger(Item) returns (Item) { option (toolcell.v1.tool) = { timeout: { nanos: 300000000 } }; }
  // Lets one call in.
  rpc Rare(Item) returns (Item);
}

// Item is something to pass through a door.
message Item {
  // Names it.
  string name = 1 [(buf.validate.field).string.max_len = 1000];
  // Counts it.
  int32 count = 2 [(buf.validate.field).int32.gte = 0];
  // Weighs it.
  double weight = 3;
  // Numbers it, exactly.
  int64 serial = 4;
  // Holds more.
  repeated Item items = 5;
}
"""
HANDLERS = {
    "echo": "return arguments",
    "decline": "raise ToolError('No such item.', details={'item': 7})",
    "miss": "raise ToolError('There is none.', code='NOT_FOUND')",
    "pretend": "raise ToolError('Come again.', code='UNAVAILABLE')",
    "rant": "raise ToolError('No! ' * 1000, details={'why': 'Why? ' * 500})",
    "scarce": "return arguments",
    "crash": "raise KeyError('a secret')",
    "lie": "return {'count': 'many'}",
    "wait": "cell.progress(0.5, 'began')\n    time.sleep(600)",
    "linger": "time.sleep(600)",
    "rare": "return arguments",
}
RARE = '[rate]\nper_caller = "0.001/s"\nper_tool = "0.001/s"\nburst = 1\n'
BROKEN = {
    "broken.proto": 'syntax = "proto3";\npackage broken.v1;\nmessage { }\n',
    "stolen.proto": (
        'syntax = "proto3";\npackage google.stolen.v1;\n'
        "// Steals.\nservice StolenService {\n  // Steals.\n  rpc Steal(Stolen) returns (Stolen);\n}\n"
        "// Stolen is nothing.\nmessage Stolen {}\n"
    ),
    "faulty.proto": (
        'syntax = "proto3";\npackage faulty.v1;\nimport "toolcell/v1/options.proto";\n'
        "// FaultyService has a tool for each way a deployment can be wrong.\nservice FaultyService {\n"
        "  // Has no handler.\n  rpc NoHandler(Nothing) returns (Nothing);\n"
        "  // Has a policy with an unknown key.\n  rpc BadPolicy(Nothing) returns (Nothing);\n"
        "  // Has a handler that does not import.\n  rpc BadImport(Nothing) returns (Nothing);\n"
        "  // Is called as the other.\n"
        '  rpc TwinOne(Nothing) returns (Nothing) { option (toolcell.v1.tool) = { name: "twin" }; }\n'
        "  // Is called as the other.\n"
        '  rpc TwinTwo(Nothing) returns (Nothing) { option (toolcell.v1.tool) = { name: "twin" }; }\n'
        "}\n// Nothing is nothing.\nmessage Nothing {}\n"
    ),
}


def make(folder: Path) -> Path:
    """Writes the workspace and returns its folder."""
    protos = folder / "protos"
    protos.mkdir(parents=True)
    for name, text in {"good.proto": GOOD, **BROKEN}.items():
        (protos / name).write_text(text)
    for tool, body in HANDLERS.items():
        handler(
            folder,
            tool,
            f"import time\nfrom toolcell import ToolError\n\ndef handler(arguments, cell):\n    {body}\n",
        )
    for tool in ("rare", "scarce"):
        (folder / "handlers" / tool / "cell.toml").write_text(RARE)
    for tool in ("bad_policy", "twin"):
        handler(folder, tool, "def handler(arguments, cell):\n    return {}\n")
    handler(folder, "bad_import", "import no_such_module\n")
    (folder / "handlers/bad_policy/cell.toml").write_text('memroy = "1 MiB"\n')
    return folder


def handler(folder: Path, tool: str, text: str) -> None:
    """Writes a handler."""
    home = folder / "handlers" / tool
    home.mkdir(parents=True)
    (home / "handler.py").write_text(text)
