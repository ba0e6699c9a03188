"""One of every construct and one of every rule become exactly these JSON Schemas."""

import json
import os
from pathlib import Path

import jsonschema_rs
import pytest

from tests.contracts.workspace import PROTOS, contract, contracts

GOLDEN = PROTOS / "golden"


def shown(tool: str) -> str:
    entry = contract(tool)
    both = {"input": json.loads(entry.input_schema_json), "output": json.loads(entry.output_schema_json)}
    return json.dumps(both, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("tool", sorted(contracts()))
def test_schemas_are_what_they_were(tool: str) -> None:
    path = GOLDEN / f"{tool}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown(tool))
    assert shown(tool) == path.read_text()


def test_every_golden_file_has_its_tool() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(contracts())


@pytest.mark.parametrize("tool", sorted(contracts()))
def test_schemas_are_valid_json_schema_2020_12(tool: str) -> None:
    for schema in (contract(tool).input_schema, contract(tool).output_schema):
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf", "$ref"} & schema.keys()
        assert all(name.replace("_", "").isalnum() for name in schema.get("$defs", {}))


def test_a_schema_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    again = {name: c.input_schema_json + c.output_schema_json for name, c in contracts.__wrapped__().items()}
    assert again == {name: c.input_schema_json + c.output_schema_json for name, c in contracts().items()}
