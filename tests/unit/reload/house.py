"""A workspace of tools that are a few lines each, and the rooms that serve it, without doors."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolcell.cells.pool import Cells, Request
from toolcell.contracts.catalog import Catalog
from toolcell.model.clock import SystemClock
from toolcell.model.span import EventKind
from toolcell.reload import Reload
from toolcell.telemetry.lines import Lines

HEADER = """syntax = "proto3";
package probe.v1;
// Holds text.
message Text {
  // The text.
  string text = 1;
}
// Tools to change.
service ProbeService {
"""
METHOD = "  // Says something.\n  rpc {name}(Text) returns (Text);\n"
SAYS = "def handler(arguments, cell):\n    return {{'text': '{0}'}}\n"
LEVEL = 2


def write_contract(workspace: Path, *methods: str, header: str = HEADER) -> None:
    (workspace / "protos").mkdir(exist_ok=True)
    text = header + "".join(METHOD.format(name=name) for name in methods) + "}\n"
    (workspace / "protos/probe.proto").write_text(text)


def write_handler(workspace: Path, tool: str, source: str) -> None:
    (workspace / "handlers" / tool).mkdir(parents=True, exist_ok=True)
    (workspace / "handlers" / tool / "handler.py").write_text(source)


def make_workspace(workspace: Path, *methods: str) -> Path:
    """Writes a contract with the methods, and for each a handler that says `old`."""
    write_contract(workspace, *methods)
    for method in methods:
        write_handler(workspace, method.lower(), SAYS.format("old"))
    return workspace


class Said(Lines):
    """Keeps what the server says."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def invocation(self, record: object) -> None:
        raise NotImplementedError

    def strangers(self, counts: object) -> None:
        raise NotImplementedError

    def event(self, name: str, message: str, **fields: object) -> None:
        self.events.append((name, fields | {"message": message}))

    def problem(self, message: str, *, where: str, remedy: str, **fields: object) -> None:
        self.event("problem", message, where=where, remedy=remedy, **fields)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [fields for found, fields in self.events if found == name]


class House:
    """The rooms; `call` does what the pipeline does to a call after it was let in."""

    def __init__(self, workspace: Path, **changes: Any) -> None:
        self.workspace = workspace
        self.said = Said()
        self.catalog = Catalog(
            workspace / "protos",
            workspace / "handlers",
            isolation_level=LEVEL,
            copies=workspace / "state/copies",
        )
        self.cells = Cells(clock=SystemClock(), level=LEVEL, **changes)
        self.reload = Reload(self.catalog, self.cells, self.said)

    def revision(self, name: str) -> str:
        return self.catalog.snapshot.entries[name].tool.revision

    async def call(self, name: str, emit: Any = None) -> str:
        def ignore(kind: EventKind, body: Mapping[str, Any]) -> None:
            pass

        request = Request("inv_test", "", 1, json.dumps({"text": ""}))
        tool = self.catalog.snapshot.entries[name].tool
        reply = await self.cells.run(tool, request, time.monotonic() + 30, emit or ignore)
        for _ in range(3):  # the cell is released in the loop's next turns
            await asyncio.sleep(0)
        assert reply.fault is None, reply.fault
        assert isinstance(reply.value, dict)
        return str(reply.value["text"])
