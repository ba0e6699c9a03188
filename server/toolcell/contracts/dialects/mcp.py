"""`mcp`: tools of the Model Context Protocol, with output schema and hints (2025-11-25 and 2026-07-28)."""

import json
from collections.abc import Sequence
from typing import Any, Final

from toolcell.contracts.dialects.rendered import Dialect, Variant, View
from toolcell.contracts.dialects.turns import Result, ToolCall, Turns, arguments_of, entries, text_of
from toolcell.contracts.schema import Schema
from toolcell.model.tool import Idempotency


def _tool(view: View) -> dict[str, Any]:
    return {
        "name": view.tool.name,
        **({"title": view.tool.title} if view.tool.title else {}),
        "description": view.description,
        "inputSchema": view.input,
        **({"outputSchema": view.output} if view.output is not None else {}),
        "annotations": {
            "readOnlyHint": view.tool.idempotency is Idempotency.NO_SIDE_EFFECTS,
            "idempotentHint": view.tool.idempotency.is_retry_safe,
        },
    }


def _read(message: Any) -> list[ToolCall]:
    """Reads tools/call requests of JSON-RPC, or their params: `{"name", "arguments"}`."""
    single = isinstance(message, dict)
    calls = []
    for place, entry in entries([message] if single else message):
        params, where = (entry["params"], f"{place}.params") if "params" in entry else (entry, place)
        identity = entry.get("id")
        calls.append(
            ToolCall(
                text_of(params, where, "name"),
                arguments_of(params.get("arguments")),
                "" if identity is None else str(identity),
                entry,
            )
        )
    return calls


def _write(results: Sequence[Result]) -> list[Any]:
    return [_answer(result) for result in results]


def _answer(result: Result) -> dict[str, Any]:
    """Writes a CallToolResult, in a JSON-RPC response when the call came in a request."""
    text = result.error or result.output_json
    made: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
    if not result.error:
        made["structuredContent"] = json.loads(result.output_json)
    made["isError"] = bool(result.error)
    origin = result.call.origin
    return {"jsonrpc": "2.0", "id": origin["id"], "result": made} if "id" in origin else made


DIALECTS: Final = (Dialect("mcp", (Variant(Schema, _tool),), Turns(_read, _write)),)
