"""The example tools, one of every construct and one of every rule, as each dialect says them."""

import asyncio
import functools
import json
import os
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.contracts.workspace import PROTOS
from toolcell.contracts import dialects
from toolcell.contracts.catalog import Catalog, Entry

ROOT = PROTOS.parents[1]
GOLDEN = PROTOS / "golden" / "dialects"


@functools.cache
def entries() -> Mapping[str, Entry]:
    """Returns the tools of the examples and of this folder; none has a handler here."""
    made: dict[str, Entry] = {}
    for protos in (ROOT / "protos", PROTOS):
        catalog = Catalog(protos, PROTOS / "no-handlers", isolation_level=2)
        asyncio.run(catalog.load())
        made |= catalog.snapshot.entries
    return {
        name: Entry(replace(entry.tool, unavailable=None), entry.contract) for name, entry in made.items()
    }


def shown(name: str) -> str:
    rendered = {tool: dialects.find(name).render(entry) for tool, entry in sorted(entries().items())}
    verdicts = {
        tool: [it.fit, *it.notes, json.loads(it.text) if it.text else None] for tool, it in rendered.items()
    }
    return json.dumps(verdicts, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_manifests_are_what_they_were(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown(name))
    assert shown(name) == path.read_text()


def test_every_golden_file_has_its_dialect() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(dialects.DIALECTS)
