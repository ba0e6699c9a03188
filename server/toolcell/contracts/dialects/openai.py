"""`openai-chat` and `openai-responses`, each also `-strict`: OpenAI's Chat Completions and Responses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from toolcell.contracts.dialects.limits import Limits
from toolcell.contracts.dialects.rendered import Dialect, Variant, View
from toolcell.contracts.dialects.turns import (
    Result,
    ToolCall,
    Turns,
    arguments_of,
    entries,
    spoken,
    text_of,
)
from toolcell.contracts.form import FORMATS, UNTYPED, Form
from toolcell.contracts.grammar import Grammar
from toolcell.contracts.schema import Schema

_LONGEST: Final = 1024
"""Characters of a description; more was answered with status 400 for the whole list of tools."""
_REQUEST: Final = Limits((("tools", 128),))
_SCHEMA: Final = Limits(
    (
        ("properties", 5000),
        ("depth", 10),
        ("characters", 120_000),
        ("enum_values", 1000),
        ("enum_characters", 15_000),
    )
)


class Strict(Grammar):
    """What OpenAI's structured outputs take: every property is required, null stands for absent."""

    form = Form(
        keywords=frozenset(
            {
                "enum",
                "exclusiveMaximum",
                "exclusiveMinimum",
                "format",
                "maxItems",
                "maximum",
                "minItems",
                "minimum",
                "pattern",
            }
        ),
        formats=FORMATS - {"uri"},
        texts=frozenset(UNTYPED),
        has_pairs=True,
        has_choices=True,
        has_nulls=True,
        reference="wrapped",
        most_values=1000,
    )


def _parts(view: View, *, is_strict: bool) -> dict[str, Any]:
    return {
        "name": view.tool.name,
        "description": view.description,
        "parameters": view.input,
        "strict": is_strict,
    }


def _chat(view: View) -> dict[str, Any]:
    return {"type": "function", "function": _parts(view, is_strict=False)}


def _chat_strict(view: View) -> dict[str, Any]:
    return {"type": "function", "function": _parts(view, is_strict=True)}


def _responses(view: View) -> dict[str, Any]:
    """Says strict always: left out, it means "if the schema happens to allow it"."""
    return {"type": "function", **_parts(view, is_strict=False)}


def _responses_strict(view: View) -> dict[str, Any]:
    return {"type": "function", **_parts(view, is_strict=True)}


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────


def _read_chat(message: Any) -> list[ToolCall]:
    """Reads an assistant message, or its `tool_calls`."""
    calls = []
    for place, entry in entries(message, "tool_calls", "content"):
        if entry.get("type", "function") != "function":
            continue
        function, where = entry.get("function"), f"{place}.function"
        name, arguments = text_of(function, where, "name"), text_of(function, where, "arguments")
        calls.append(ToolCall(name, arguments, text_of(entry, place, "id")))
    return calls


def _write_chat(results: Sequence[Result]) -> list[Any]:
    return [
        {"role": "tool", "tool_call_id": result.call.tool_call_id, "content": spoken(result)}
        for result in results
    ]


def _read_responses(message: Any) -> list[ToolCall]:
    """Reads a response, or its `output`; items that are no function calls are passed over."""
    return [
        ToolCall(
            text_of(entry, place, "name"),
            arguments_of(entry.get("arguments")),
            text_of(entry, place, "call_id"),
        )
        for place, entry in entries(message, "output")
        if entry.get("type") == "function_call"
    ]


def _write_responses(results: Sequence[Result]) -> list[Any]:
    return [
        {"type": "function_call_output", "call_id": result.call.tool_call_id, "output": spoken(result)}
        for result in results
    ]


_CHAT: Final = Dialect(
    "openai-chat", (Variant(Schema, _chat),), Turns(_read_chat, _write_chat), _REQUEST, _LONGEST
)
_RESPONSES: Final = Dialect(
    "openai-responses",
    (Variant(Schema, _responses),),
    Turns(_read_responses, _write_responses),
    _REQUEST,
    _LONGEST,
)
DIALECTS: Final = (
    _CHAT,
    replace(
        _CHAT, name="openai-chat-strict", variants=(Variant(Strict, _chat_strict, _SCHEMA), *_CHAT.variants)
    ),
    _RESPONSES,
    replace(
        _RESPONSES,
        name="openai-responses-strict",
        variants=(Variant(Strict, _responses_strict, _SCHEMA), *_RESPONSES.variants),
    ),
)
