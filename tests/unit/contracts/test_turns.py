"""A provider's own message becomes calls, and what came of them the provider's own results."""

import json
from typing import Any

import pytest

from toolcell.contracts import dialects
from toolcell.contracts.dialects.turns import Result, ToolCall, TurnInvalid

ARGUMENTS = {"id": 9007199254740993}
TEXT = '{"id":9007199254740993}'
CALL = {"type": "function", "id": "c1", "function": {"name": "find", "arguments": TEXT}}
ITEM = {"type": "function_call", "call_id": "c1", "name": "find", "arguments": TEXT}
BLOCK = {"type": "tool_use", "id": "c1", "name": "find", "input": ARGUMENTS}
PART = {"functionCall": {"id": "c1", "name": "find", "args": ARGUMENTS}}
PARAMS = {"name": "find", "arguments": ARGUMENTS}
RPC = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": PARAMS}

MESSAGES = [
    ("openai-chat", {"role": "assistant", "content": None, "tool_calls": [CALL]}),
    ("openai-chat", [CALL]),
    ("openai-responses", {"output": [{"type": "reasoning", "id": "r"}, ITEM]}),
    ("openai-responses", [ITEM]),
    ("anthropic", {"role": "assistant", "content": [{"type": "text", "text": "I look."}, BLOCK]}),
    ("anthropic", [BLOCK]),
    ("gemini", {"role": "model", "parts": [{"text": "I look."}, PART]}),
    ("gemini", {"candidates": [{"content": {"role": "model", "parts": [PART]}}]}),
    ("gemini", [PART]),
    ("gemini", [PART["functionCall"]]),
    ("gemini", [{"function_call": PART["functionCall"]}]),
    ("json", {"tool_calls": [{"id": "c1", **PARAMS}]}),
    ("json", [{"id": "c1", "name": "find", "arguments": TEXT}]),
]


@pytest.mark.parametrize(("name", "message"), MESSAGES)
def test_calls_are_found_and_nothing_else(name: str, message: Any) -> None:
    (call,) = dialects.find(name).turns.calls(json.dumps(message))
    assert (call.tool, call.arguments_json, call.tool_call_id) == ("find", TEXT, "c1")


def test_mcp_takes_requests_and_their_params() -> None:
    turns = dialects.find("mcp").turns
    for message in (RPC, [RPC]):
        (call,) = turns.calls(json.dumps(message))
        assert (call.tool, call.arguments_json, call.tool_call_id) == ("find", TEXT, "7")
        (answer,) = json.loads(turns.results([Result(call, '{"a":1}')]))
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", 7)
    (call,) = turns.calls(json.dumps(PARAMS))
    (answer,) = json.loads(turns.results([Result(call, '{"a":1}')]))
    assert answer == {
        "content": [{"type": "text", "text": '{"a":1}'}],
        "structuredContent": {"a": 1},
        "isError": False,
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openai-chat", {"role": "assistant", "content": "Hello."}),
        ("openai-chat", {"role": "assistant", "content": None, "tool_calls": None}),
        ("openai-responses", {"output": []}),
        ("anthropic", {"role": "assistant", "content": "Hello."}),
        ("gemini", {"role": "model", "parts": [{"text": "Hello."}]}),
        ("mcp", []),
        ("json", []),
    ],
)
def test_a_turn_without_calls_has_no_results(name: str, message: Any) -> None:
    turns = dialects.find(name).turns
    assert turns.calls(json.dumps(message)) == []
    assert turns.results([]) == "[]"


@pytest.mark.parametrize("name", dialects.DIALECTS)
@pytest.mark.parametrize(
    "text", ["", "nonsense", "7", '"x"', "{}", "[7]", '[{"type":"tool_use"}]', "[" * 5000]
)
def test_what_is_no_message_is_refused_with_its_place(name: str, text: str) -> None:
    with_no_calls = {
        "openai-chat",
        "openai-chat-strict",
        "openai-responses",
        "openai-responses-strict",
        "gemini",
    }
    if text.startswith('[{"type"') and (name in with_no_calls or name == "gemini-schema"):
        assert dialects.find(name).turns.calls(text) == []
        return
    with pytest.raises(TurnInvalid) as refused:
        dialects.find(name).turns.calls(text)
    assert refused.value.sentence


RESULTS = [Result(ToolCall("find", TEXT, "c1"), '{"a":1}'), Result(ToolCall("get", TEXT, "c2"), error="No.")]


@pytest.mark.parametrize(
    ("name", "results"),
    [
        (
            "openai-chat",
            [
                {"role": "tool", "tool_call_id": "c1", "content": '{"a":1}'},
                {"role": "tool", "tool_call_id": "c2", "content": "Error: No."},
            ],
        ),
        (
            "openai-responses-strict",
            [
                {"type": "function_call_output", "call_id": "c1", "output": '{"a":1}'},
                {"type": "function_call_output", "call_id": "c2", "output": "Error: No."},
            ],
        ),
        (
            "anthropic",
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": '{"a":1}'},
                        {"type": "tool_result", "tool_use_id": "c2", "content": "No.", "is_error": True},
                    ],
                }
            ],
        ),
        (
            "gemini",
            [
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"id": "c1", "name": "find", "response": {"output": {"a": 1}}}},
                        {"functionResponse": {"id": "c2", "name": "get", "response": {"error": "No."}}},
                    ],
                }
            ],
        ),
        (
            "json",
            [{"id": "c1", "name": "find", "output": {"a": 1}}, {"id": "c2", "name": "get", "error": "No."}],
        ),
    ],
)
def test_results_are_the_provider_s_own_and_errors_marked_its_way(name: str, results: Any) -> None:
    assert json.loads(dialects.find(name).turns.results(RESULTS)) == results


def test_a_name_that_stands_twice_in_arguments_still_does() -> None:
    text = '[{"type":"tool_use","id":"c1","name":"find","input":{"a":1,"b":[{"c":1,"c":2}],"a":2}}]'
    (call,) = dialects.find("anthropic").turns.calls(text)
    pairs = json.loads(call.arguments_json, object_pairs_hook=list)
    assert [name for name, _ in pairs].count("a") == 2
    assert [name for name, _ in dict(pairs)["b"][0]] == ["c", "c"]
