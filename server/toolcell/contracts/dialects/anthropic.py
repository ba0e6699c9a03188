"""`anthropic`, also `-strict`: tools of Anthropic's Messages API."""

import re
from collections.abc import Sequence
from typing import Any, Final

from toolcell.contracts.dialects.limits import Limits
from toolcell.contracts.dialects.rendered import Dialect, Variant, View
from toolcell.contracts.dialects.turns import Result, ToolCall, Turns, arguments_of, entries, text_of
from toolcell.contracts.form import UNTYPED, Form
from toolcell.contracts.grammar import Grammar
from toolcell.contracts.schema import Schema

_REQUEST: Final = Limits((("strict_tools", 20), ("optional", 24), ("unions", 16)))
_SCHEMA: Final = Limits((("optional", 24), ("unions", 16)))
_LARGE_COUNT: Final = re.compile(r"\{[0-9,]*[0-9]{3,}[0-9,]*\}")


class Strict(Grammar):
    """What Anthropic compiles into a grammar: optional properties may be left out, nothing holds itself."""

    form = Form(
        keywords=frozenset({"enum", "format", "minItems", "pattern"}),
        texts=frozenset(UNTYPED),
        has_pairs=True,
        has_choices=True,
        has_recursion=False,
        reference="wrapped",
    )

    def _takes(self, keyword: str, value: Any) -> bool:
        is_too_much = (keyword == "minItems" and value > 1) or (
            keyword == "pattern" and _LARGE_COUNT.search(value) is not None
        )
        return not is_too_much and super()._takes(keyword, value)


def _tool(view: View) -> dict[str, Any]:
    return {"name": view.tool.name, "description": view.description, "input_schema": view.input}


def _strict_tool(view: View) -> dict[str, Any]:
    return {**_tool(view), "strict": True}


def _read(message: Any) -> list[ToolCall]:
    """Reads an assistant message, or its content; blocks that are no tool use are passed over."""
    return [
        ToolCall(text_of(block, place, "name"), arguments_of(block.get("input")), text_of(block, place, "id"))
        for place, block in entries(message, "content")
        if block.get("type") == "tool_use"
    ]


def _write(results: Sequence[Result]) -> list[Any]:
    """Writes one user message, as all results of a turn must stand in the same one."""
    blocks = [
        {
            "type": "tool_result",
            "tool_use_id": result.call.tool_call_id,
            "content": result.error or result.output_json,
            **({"is_error": True} if result.error else {}),
        }
        for result in results
    ]
    return [{"role": "user", "content": blocks}] if blocks else []


_TURNS: Final = Turns(_read, _write)
_PLAIN: Final = Variant(Schema, _tool)
DIALECTS: Final = (
    Dialect("anthropic", (_PLAIN,), _TURNS),
    Dialect("anthropic-strict", (Variant(Strict, _strict_tool, _SCHEMA), _PLAIN), _TURNS, _REQUEST),
)
