"""The contracts under test, compiled once; and small workspaces made for a test."""

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path

from toolcell.contracts.catalog import Catalog, Problem, Snapshot
from toolcell.contracts.contract import Contract
from toolcell.model.errors import InputInvalid, Violation
from toolcell.model.tool import Cause

PROTOS = Path(__file__).parent
HANDLER = "def handler(arguments, cell):\n    return {}\n"


@functools.cache
def contracts() -> Mapping[str, Contract]:
    """Returns the contract of every tool that is declared here, by name."""
    catalog = Catalog(PROTOS, PROTOS / "no-handlers", isolation_level=2)
    asyncio.run(catalog.load())
    return {name: entry.contract for name, entry in catalog.snapshot.entries.items()}


def contract(name: str) -> Contract:
    """Returns one of them."""
    return contracts()[name]


def attempt(entry: Contract, text: str) -> tuple[str | None, tuple[Violation, ...]]:
    """Decodes arguments; returns the canonical text or None, and the violations."""
    try:
        return entry.decode(text), ()
    except InputInvalid as refused:
        return None, refused.violations


def proto(package: str, *methods: str, more: str = "", imports: str = "") -> str:
    """Returns a .proto file with a service whose methods take and give Ask and Answer."""
    rpcs = "\n".join(f"  // Does {name}.\n  rpc {name}(Ask) returns (Answer);" for name in methods)
    return (
        f'syntax = "proto3";\npackage {package};\n{imports}\nservice Service {{\n{rpcs}\n}}\n'
        f"message Ask {{ string query = 1; }}\nmessage Answer {{ string text = 1; }}\n{more}"
    )


def workspace(root: Path, files: Mapping[str, str]) -> Catalog:
    """Writes a workspace's files and returns its catalog, not yet loaded."""
    for folder in ("protos", "handlers"):
        (root / folder).mkdir(exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Catalog(root / "protos", root / "handlers", isolation_level=2)


GOOD = {
    "protos/crm.proto": proto("crm.v1", "FindCustomer", "GetHTTPStatus"),
    "handlers/find_customer/handler.py": HANDLER,
    "handlers/get_http_status/handler.py": HANDLER,
}


async def loaded(root: Path, files: Mapping[str, str]) -> Snapshot:
    """Writes files into a workspace and returns what a new catalog makes of it."""
    catalog = workspace(root, files)
    await catalog.load()
    return catalog.snapshot


def causes(snapshot: Snapshot) -> dict[str, Cause | None]:
    """Returns why each tool is unavailable, None for those that are not."""
    tools = (entry.tool for entry in snapshot.entries.values())
    return {tool.name: tool.unavailable.cause if tool.unavailable else None for tool in tools}


def problem(snapshot: Snapshot, tool: str) -> Problem:
    """Returns the one problem of a tool, "" for that of a file; it has a place and a remedy."""
    [found] = [problem for problem in snapshot.problems if problem.tool == tool]
    assert not found.where.startswith("/")
    assert found.remedy
    return found
