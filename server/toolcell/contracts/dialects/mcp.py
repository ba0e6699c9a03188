"""`mcp`: tools of the Model Context Protocol, with output schema and hints (2025-11-25 and 2026-07-28)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from toolcell.contracts.contract import Contract
from toolcell.contracts.dialects.rendered import Dialect, Variant
from toolcell.contracts.dialects.turns import Result, ToolCall, Turns, arguments_of, entries, text_of
from toolcell.contracts.schema import Schema
from toolcell.model.tool import Idempotency, Tool


def _tool(tool: Tool, description: str, schema: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    return {
        "name": tool.name,
        **({"title": tool.title} if tool.title else {}),
        "description": description,
        "inputSchema": schema,
        "outputSchema": contract.output_schema,
        "annotations": {
            "readOnlyHint": tool.idempotency is Idempotency.NO_SIDE_EFFECTS,
            "idempotentHint": tool.idempotency.is_retry_safe,
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
