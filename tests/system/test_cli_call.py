"""`toolcell call` against a real server with real cells."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.dev_server import PROGRAMS, Server, copy_workspace, environment

ADA = ("call", "search_customer", "-a", "query=ada@example.com")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dev server for all tests here: none of them changes its workspace."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


def test_a_call_prints_the_output_and_nothing_else(server: Server) -> None:
    output = json.loads(server.output(*ADA))
    assert [customer["name"] for customer in output["customers"]] == ["Ada Lovelace"]


def test_arguments_can_come_from_the_command_line_a_file_and_stdin(server: Server, tmp_path: Path) -> None:
    text = '{"query": "CUS_0001"}'
    (tmp_path / "arguments.json").write_text(text)
    wanted = server.output(*ADA)
    assert server.output("call", "search_customer", text) == wanted
    assert server.output("call", "search_customer", f"@{tmp_path}/arguments.json") == wanted
    assert server.toolcell("call", "search_customer", "-", stdin=text).stdout == wanted
    assert server.output("call", "search_customer", "{}", "-a", "query=cus_0001") == wanted


def test_values_get_the_types_of_the_contract(server: Server) -> None:
    quote = server.output(
        "call", "quote_shipping", "-a", "weight_kg=2.5", "-a", "country=GB", "-a", "speed=SPEED_EXPRESS"
    )
    assert json.loads(quote)["price_cents"] == "8740"
    both = ("-a", "sources=SOURCE_ORGANISATION", "-a", "sources=SOURCE_COUNTRY")
    found = server.output("call", "enrich_customer", "-a", "email=a@example.de", *both)
    assert [finding["value"] for finding in json.loads(found)["findings"]] == ["example.de", "DE"]


def test_a_number_beyond_a_double_stays_exact(server: Server) -> None:
    assert '"9007199254740993"' in server.output("call", "search_customer", "-a", "query=cus_0012")


def test_rejected_arguments_are_named_a_line_each(server: Server) -> None:
    done = server.toolcell(
        "call", "quote_shipping", '{"weight_kg": -1, "country": "France", "speed": "WARP"}'
    )
    assert (done.returncode, done.stdout) == (3, "")
    for field in ("weight_kg", "country", "speed"):
        assert re.search(rf"^  {field}: \S", done.stderr, re.MULTILINE), done.stderr
    assert "(INPUT_INVALID)" in done.stderr
    assert "hint: `toolcell tools quote_shipping`" in done.stderr


@pytest.mark.parametrize(
    "text", ['{"query": ', "[]", '"x"', '{"quer": "x"}', "{" * 300, '{"query": "\\ud800"}']
)
def test_arguments_that_are_none_are_refused(server: Server, text: str) -> None:
    done = server.toolcell("call", "search_customer", text)
    assert (done.returncode, done.stdout) == (3, "")
    assert "(INPUT_INVALID)" in done.stderr


def test_a_failure_says_why_and_where_to_look(server: Server) -> None:
    done = server.toolcell("call", "quote_shipping", '{"weight_kg": 1, "country": "KP"}')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        'error: no service to KP; ask for another destination (TOOL_ERROR)\n  code: "NOT_SERVED"\nhint'
    )
    (command,) = re.findall(r"hint: toolcell (trace inv_\w+) shows", done.stderr)
    story = server.output(*command.split())
    assert "FAILED: TOOL_ERROR" in story
    assert '"country": "KP"' in story


def test_a_failure_is_json_for_a_program(server: Server) -> None:
    done = server.toolcell("call", "quote_shipping", '{"weight_kg": 1, "country": "KP"}', "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["failure"]["reason"] == "ERROR_REASON_TOOL_ERROR"
    done = server.toolcell("call", "quote_shipping", "{}", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.loads(done.stderr)["error"]["reason"] == "INPUT_INVALID"


def test_an_unknown_tool_is_refused_with_the_nearest(server: Server) -> None:
    done = server.toolcell("call", "serch_customer", "{}")
    assert done.returncode == 5
    assert "(TOOL_NOT_FOUND)" in done.stderr
    assert "did you mean search_customer" in done.stderr


def test_a_call_that_takes_too_long_is_given_up(server: Server) -> None:
    sources = '["SOURCE_ORGANISATION", "SOURCE_PICTURE"]'
    arguments = f'{{"email": "a@example.com", "sources": {sources}}}'
    done = server.toolcell(
        "call", "enrich_customer", arguments, "--timeout", "150ms", "--label", "test=timeout"
    )
    assert (done.returncode, done.stdout) == (7, "")


def test_ctrl_c_has_the_handler_killed(server: Server) -> None:
    sources = '["SOURCE_ORGANISATION", "SOURCE_PICTURE", "SOURCE_COUNTRY", "SOURCE_ROLE"]'
    arguments = f'{{"email": "a@example.com", "sources": {sources}}}'
    call = [str(PROGRAMS / "toolcell"), "call", "enrich_customer", arguments, "--label", "test=ctrl-c"]
    command = [
        "env",
        "--default-signal=INT",
        *call,
    ]  # a shell's background jobs, and so these tests, may ignore it
    caller = subprocess.Popen(
        command,
        cwd=server.folder,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    mine = ("runs", "--json", "--label", "test=ctrl-c")
    while not json.loads(server.toolcell(*mine, "--state", "running").stdout):
        assert caller.poll() is None
    caller.send_signal(signal.SIGINT)
    out, err = caller.communicate()
    assert (caller.returncode, out, err) == (130, "", "\nstopped\n")
    while (record := json.loads(server.output(*mine))[0])["state"] == "STATE_RUNNING":
        pass
    assert record["state"] == "STATE_CANCELLED"


def test_on_a_terminal_the_output_is_indented(server: Server) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [PROGRAMS / "toolcell", *ADA],
        cwd=server.folder,
        env=environment(NO_COLOR="1"),
        stdout=follower,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0
    assert '"name": "Ada Lovelace",\r\n' in shown
    assert re.fullmatch(r"inv_\w+  \S+ \S+\n", done.stderr)
