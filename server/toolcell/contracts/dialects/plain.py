"""`json`: Toolcell's own form, JSON Schema 2020-12 for what goes in and what comes out."""

import json
from collections.abc import Sequence
from typing import Any, Final

from toolcell.contracts.dialects.rendered import Dialect, Variant, View
from toolcell.contracts.dialects.turns import Result, ToolCall, Turns, arguments_of, entries, text_of
from toolcell.contracts.schema import Schema


def _tool(view: View) -> dict[str, Any]:
    return {
        "name": view.tool.name,
        **({"title": view.tool.title} if view.tool.title else {}),
        "description": view.description,
        "input_schema": view.input,
        **({"output_schema": view.output} if view.output is not None else {}),
    }


def _read(message: Any) -> list[ToolCall]:
    """Reads `{"id"?, "name", "arguments"}`."""
    return [
        ToolCall(
            text_of(entry, place, "name"),
            arguments_of(entry.get("arguments")),
            text_of(entry, place, "id", is_needed=False),
        )
        for place, entry in entries(message, "tool_calls")
    ]


def _write(results: Sequence[Result]) -> list[Any]:
    return [
        {
            **({"id": result.call.tool_call_id} if result.call.tool_call_id else {}),
            "name": result.call.tool,
            **({"error": result.error} if result.error else {"output": json.loads(result.output_json)}),
        }
        for result in results
    ]


DIALECTS: Final = (Dialect("json", (Variant(Schema, _tool),), Turns(_read, _write)),)
