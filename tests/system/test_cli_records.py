"""`toolcell tools`, `manifest`, `runs` and `trace` against a real server."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.system.dev_server import Server, copy_workspace

ADA = ("call", "search_customer", "-a", "query=ada@example.com")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dev server for all tests here: none of them changes its workspace."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


def test_tools_are_listed_and_shown(server: Server) -> None:
    header, *rows = server.output("tools").splitlines()
    assert header.split() == ["NAME", "TITLE", "STATE", "LEVEL"]
    assert [row.split()[0] for row in rows] == ["enrich_customer", "quote_shipping", "search_customer"]
    assert all(" available " in row for row in rows)
    card = server.output("tools", "quote_shipping")
    for part in (
        "Quote shipping",
        "Calculates what it costs",
        "NO_SIDE_EFFECTS",
        "/examples.shipping.v1",
        '"weight_kg"',
    ):
        assert part in card


def test_tools_are_json_for_a_program(server: Server) -> None:
    (one, *_) = json.loads(server.output("tools", "--json"))
    assert one == json.loads(server.output("tools", one["name"], "--json"))
    assert json.loads(one["input_schema_json"])["properties"]


def test_an_unknown_tool_cannot_be_shown(server: Server) -> None:
    assert server.toolcell("tools", "nothing").returncode == 5


def test_the_manifest_is_what_a_provider_takes(server: Server) -> None:
    tools = json.loads(server.output("manifest", "--dialect", "openai"))
    assert [tool["function"]["name"] for tool in tools] == [
        "enrich_customer",
        "quote_shipping",
        "search_customer",
    ]
    assert server.output("manifest", "--format", "openai-chat") == server.output(
        "manifest", "--dialect", "openai"
    )
    (one,) = json.loads(server.output("manifest", "quote_shipping", "--dialect", "openai"))
    assert one == tools[1]
    assert json.loads(server.output("manifest"))
    assert len(json.loads(server.output("manifest", "--json"))["verdicts"]) == 3
    assert len(server.output("manifest", "--compact")) < len(server.output("manifest"))


def test_what_each_tool_costs_is_listed(server: Server) -> None:
    header, *rows = server.output("manifest", "--dialect", "anthropic", "--stats").splitlines()
    assert header.split() == ["NAME", "BYTES", "ABOUT", "TOKENS"]
    cells = [row.replace(",", "").split() for row in rows]
    assert [name for name, *_ in cells] == ["enrich_customer", "quote_shipping", "search_customer", "all"]
    assert sum(int(size) for _, size, _ in cells[:-1]) == int(cells[-1][1])
    assert all(int(tokens) == -(-int(size) // 4) for _, size, tokens in cells)


def test_an_unknown_dialect_is_refused_with_those_there_are(server: Server) -> None:
    done = server.toolcell("manifest", "--dialect", "klingon")
    assert done.returncode == 2
    assert "openai-chat" in done.stderr


def test_runs_are_found_by_what_is_known_of_them(server: Server) -> None:
    server.output(*ADA, "--label", "test=runs", "--tool-call-id", "call_42")
    server.toolcell("call", "quote_shipping", '{"weight_kg": 1, "country": "KP"}', "--label", "test=runs")
    mine = ("runs", "--label", "test=runs")
    header, failed, succeeded = server.output(*mine).splitlines()
    assert header.split() == ["INVOCATION", "TIME", "TOOL", "OUTCOME", "DURATION", "CALLER"]
    assert "TOOL_ERROR" in failed
    assert "SUCCEEDED" in succeeded
    assert succeeded.split()[0] in server.output(*mine, "--tool", "search_customer")
    assert server.output(*mine, "--failed") == server.output(*mine, "--state", "failed")
    assert len(server.output(*mine, "--failed").splitlines()) == 2
    (found,) = json.loads(server.output("runs", "--tool-call-id", "call_42", "--json"))
    assert found["labels"] == {"test": "runs"}
    assert len(json.loads(server.output(*mine, "--limit", "1", "--json"))) == 1
    none = server.toolcell(*mine, "--caller", "somebody")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no invocation fits\n")


def test_a_trace_tells_the_whole_story(server: Server) -> None:
    server.output("call", "enrich_customer", "-a", "email=a@gmail.com", "-a", "sources=SOURCE_ORGANISATION")
    story = server.output("trace")
    for part in (
        "enrich_customer",
        "SUCCEEDED",
        "progress",
        "100% done",
        "source answered",
        "CPU",
        "private mailbox",
    ):
        assert part in story
    (line,) = [line for line in story.splitlines() if "source answered" in line]
    assert re.match(r"^ +\+[\d.]+ m?s  log +info source answered", line)
    told = json.loads(server.output("trace", "--json"))
    assert told["invocation"]["invocation_id"] in story
    assert {event["kind"] for event in told["events"]} == {"log", "progress"}


def test_an_unknown_invocation_is_refused(server: Server) -> None:
    done = server.toolcell("trace", "inv_00000000000000000000000000")
    assert done.returncode == 5
    assert "`toolcell runs`" in done.stderr
