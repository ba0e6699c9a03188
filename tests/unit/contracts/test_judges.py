"""Others judge what is sent to providers: their own types, and libraries that know what is refused."""

import copy
import json
import random
from typing import Any

import llguidance
import pytest
from agents.strict_schema import ensure_strict_json_schema
from google.genai import types as gemini
from mcp_types import CallToolResult, Tool
from pydantic import TypeAdapter
from pydantic_ai.models import _anthropic_schema_limits as anthropic
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

from tests.unit.contracts.test_dialect_golden import entries
from toolcell.contracts import dialects
from toolcell.contracts.dialects.limits import measure
from toolcell.contracts.dialects.turns import Result, ToolCall
from toolcell.model.errors import InputInvalid

TOOLS = sorted(entries())
OPENAI = ("openai-chat-strict", "openai-responses-strict")
_SAMPLES, _LONGEST = 6, 4000


def form(dialect: str, tool: str) -> Any:
    """Returns a tool as the provider gets it, None when it is left out."""
    text = dialects.find(dialect).render(entries()[tool]).text
    return json.loads(text) if text else None


def parameters(dialect: str, tool: str) -> Any:
    """Returns the schema of a tool that is sent as strict, None for others."""
    made = form(dialect, tool)
    made = made.get("function", made)
    return made.get("parameters", made.get("input_schema")) if made.get("strict") else None


@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("tool", TOOLS)
def test_openai_s_agents_have_nothing_to_make_stricter(dialect: str, tool: str) -> None:
    schema = parameters(dialect, tool)
    if schema is not None:
        assert ensure_strict_json_schema(copy.deepcopy(schema)) == schema


@pytest.mark.parametrize("tool", TOOLS)
def test_pydantic_ai_finds_openai_s_schemas_strict(tool: str) -> None:
    schema = parameters(OPENAI[0], tool)
    if schema is not None:
        judge = OpenAIJsonSchemaTransformer(copy.deepcopy(schema), strict=None)
        assert judge.walk() == schema
        assert judge.is_strict_compatible


@pytest.mark.parametrize("tool", TOOLS)
def test_pydantic_ai_counts_as_we_do_for_anthropic(tool: str) -> None:
    schema = parameters("anthropic-strict", tool)
    if schema is not None:
        size = measure(schema)
        assert anthropic.exceeded_limit([schema], None) is None
        assert anthropic._parameter_counts([schema]) == (size.optional, size.unions)


@pytest.mark.parametrize("dialect", ["gemini", "gemini-schema"])
@pytest.mark.parametrize("tool", TOOLS)
def test_google_s_own_type_takes_every_declaration(dialect: str, tool: str) -> None:
    made = form(dialect, tool)
    if made is not None:
        declared = gemini.FunctionDeclaration.model_validate(made)
        assert declared.name == tool
        assert (declared.parameters is not None) == ("parameters" in made)


@pytest.mark.parametrize("tool", TOOLS)
def test_mcp_s_own_type_takes_every_tool(tool: str) -> None:
    made = form("mcp", tool)
    taken = Tool.model_validate(made)
    assert taken.model_dump(by_alias=True, exclude_none=True, exclude_unset=True) == made


def test_results_are_of_the_providers_types() -> None:
    results = [
        Result(ToolCall("find", "{}", "1", {}), '{"a":1}'),
        Result(ToolCall("get", "{}", "2", {}), error="No."),
    ]
    for written in json.loads(dialects.find("mcp").turns.results(results)):
        CallToolResult.model_validate(written)
    (content,) = json.loads(dialects.find("gemini").turns.results(results))
    parts = gemini.Content.model_validate(content).parts or []
    assert [part.function_response and part.function_response.name for part in parts] == ["find", "get"]
    from openai.types.chat import ChatCompletionToolMessageParam
    from openai.types.responses.response_input_item_param import FunctionCallOutput

    for name, kind in (
        ("openai-chat", ChatCompletionToolMessageParam),
        ("openai-responses", FunctionCallOutput),
    ):
        for written in json.loads(dialects.find(name).turns.results(results)):
            TypeAdapter(kind).validate_python(written, strict=False)


# ── what a grammar lets a model say ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", [OPENAI[0], "anthropic-strict"])
@pytest.mark.parametrize("tool", TOOLS)
def test_every_strict_schema_is_a_grammar_and_what_it_allows_is_understood(dialect: str, tool: str) -> None:
    schema = parameters(dialect, tool)
    if schema is None:
        return
    tokens = llguidance.LLTokenizer("byte")
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, {"whitespace_flexible": False})
    assert llguidance.LLMatcher.validate_grammar(grammar, tokens) == ""
    chance = random.Random(f"{dialect} {tool}")  # noqa: S311 - the same samples every time
    finished = [
        text for _ in range(_SAMPLES) if (text := sample(llguidance.LLMatcher(tokens, grammar), chance))
    ]
    assert finished
    for text in finished:
        understand(dialect, tool, text)


def understand(dialect: str, tool: str, text: str) -> None:
    """Decodes a sample; what a grammar cannot forbid is refused in words, never because of its form."""
    contract = entries()[tool].contract
    try:
        dialects.find(dialect).decode(contract, text)
    except InputInvalid as refused:
        wrong = {violation.rule for violation in refused.violations}
    else:
        return
    assert not wrong & {"UNKNOWN_FIELD", "ONEOF_CONFLICT", "NOT_OBJECT"}, text


def sample(matcher: Any, chance: random.Random) -> str:
    """Walks through a grammar, in haste to end strings, lists and objects; "" when it did not end in time."""
    said = bytearray()
    while len(said) < _LONGEST and not matcher.is_stopped():
        mask = matcher.compute_bitmask()
        allowed = [byte for byte in range(256) if mask[byte // 8] >> (byte % 8) & 1]
        if not allowed:
            break
        ends = [byte for byte in allowed if byte in b'"]}']
        plain = [byte for byte in allowed if 32 <= byte < 127] or allowed
        byte = chance.choice(ends if ends and chance.random() < 0.6 else plain)
        assert matcher.consume_token(byte)
        said.append(byte)
    return said.decode() if matcher.is_accepting() else ""
