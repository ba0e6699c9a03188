"""A model's turn through a real server: every dialect, real cells, and a whole record of every call."""

import json
from typing import Any

import pytest

from tests.conformance.transport.doors import Site
from toolcell.contracts import dialects
from toolcell.v1 import tool_service_pb2 as v1
from toolcell.v1 import trace_pb2, trace_service_pb2

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("echo", {"name": "a", "serial": "9007199254740993"}),
    ("decline", {}),
    ("crash", {}),
    ("unheard_of", {}),
    ("echo", {"name": "b", "count": -1}),
    ("echo", {"name": "c"}),
)


def message(dialect: str) -> Any:
    """Returns a turn with all calls as a provider's model would send it."""
    calls = [(f"call_{at}", name, arguments) for at, (name, arguments) in enumerate(CALLS)]
    if dialect.startswith("openai-chat"):
        functions = [
            (identity, {"name": name, "arguments": json.dumps(value)}) for identity, name, value in calls
        ]
        return {
            "tool_calls": [{"id": i, "type": "function", "function": function} for i, function in functions]
        }
    if dialect.startswith("openai"):
        return [
            {"type": "function_call", "call_id": i, "name": n, "arguments": json.dumps(a)}
            for i, n, a in calls
        ]
    if dialect.startswith("anthropic"):
        return {"content": [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in calls]}
    if dialect.startswith("gemini"):
        return {"parts": [{"functionCall": {"id": i, "name": n, "args": a}} for i, n, a in calls]}
    if dialect == "mcp":
        return [{"id": i, "method": "tools/call", "params": {"name": n, "arguments": a}} for i, n, a in calls]
    return [{"id": i, "name": n, "arguments": a} for i, n, a in calls]


@pytest.mark.parametrize("dialect", dialects.DIALECTS)
def test_every_call_is_answered_and_recorded(site: Site, dialect: str) -> None:
    request = v1.RunToolCallsRequest(
        dialect=dialect, message_json=json.dumps(message(dialect)), labels={"turn": dialect}
    )
    answer = site.tools.RunToolCalls(request, metadata=site.metadata(), timeout=30)
    told = answer.results_json
    assert told.count("9007199254740993") >= 1
    for words in ("No such item.", "failed internally", "There is no tool unheard_of", "count: must be"):
        assert words in told
    assert "a secret" not in told
    records = [
        site.traces.GetInvocation(
            trace_service_pb2.GetInvocationRequest(invocation_id=identity), metadata=site.metadata()
        ).invocation
        for identity in answer.invocation_ids
    ]
    assert [record.tool for record in records] == [name for name, _ in CALLS]
    assert [record.tool_call_id for record in records] == [f"call_{at}" for at in range(len(CALLS))]
    assert all(record.labels == {"turn": dialect} for record in records)
    done = [trace_pb2.STATE_SUCCEEDED, trace_pb2.STATE_FAILED]
    assert [done.index(record.state) for record in records] == [0, 1, 1, 1, 1, 0]
    assert json.loads(records[0].input_json)["serial"] == "9007199254740993"
    assert json.loads(records[5].output_json)["name"] == "c"


def test_a_strict_model_s_nulls_and_pairs_are_undone(site: Site) -> None:
    item: dict[str, Any] = {"name": None, "count": None, "weight": 2.5, "serial": None, "items": []}
    call = {"id": "c", "type": "function", "function": {"name": "echo", "arguments": json.dumps(item)}}
    request = v1.RunToolCallsRequest(dialect="openai-chat-strict", message_json=json.dumps([call]))
    (told,) = json.loads(site.tools.RunToolCalls(request, metadata=site.metadata()).results_json)
    assert json.loads(told["content"]) == {"name": "", "count": 0, "weight": 2.5, "serial": "0", "items": []}


def test_limits_of_a_request_are_told_on_every_page(site: Site) -> None:
    request = v1.GetManifestRequest(dialect="anthropic-strict", page_size=2)
    page = site.tools.GetManifest(request, metadata=site.metadata())
    assert page.next_page_token
    assert list(page.limits) == []
