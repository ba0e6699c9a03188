"""The command line against a real server with real cells."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.dev_server import PROGRAMS, Server, copy_workspace, environment, run_toolcell

ADA = ("call", "search_customer", "-a", "query=ada@example.com")
KEY = re.compile(r"tc_[a-z]+_\w+")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dev server for all tests here that change nothing about it."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


# ── call ──────────────────────────────────────────────────────────────────────────────────────────────────


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
    assert done.stderr.startswith("error: no service to KP; ask for another destination (TOOL_ERROR)\n")
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
    command = [str(PROGRAMS / "toolcell"), "call", "enrich_customer", arguments, "--label", "test=ctrl-c"]
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
    assert (caller.returncode, out, err) == (130, "", "stopped\n")
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


# ── tools, manifest ───────────────────────────────────────────────────────────────────────────────────────


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


def test_an_unknown_dialect_is_refused_with_those_there_are(server: Server) -> None:
    done = server.toolcell("manifest", "--dialect", "klingon")
    assert done.returncode == 2
    assert "openai-chat" in done.stderr


# ── runs, trace ───────────────────────────────────────────────────────────────────────────────────────────


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


# ── token ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_does_what_it_grants_until_it_is_revoked(server: Server, tmp_path: Path) -> None:
    made = server.toolcell(
        "token",
        "create",
        "--caller",
        "agent",
        "--group",
        "invoke",
        "--tool",
        "search_*",
        "--ttl",
        "1h",
        "--note",
        "for a test",
    )
    assert made.returncode == 0
    assert KEY.fullmatch(made.stdout.strip())
    assert not KEY.search(made.stderr)
    (tmp_path / "token").write_text(made.stdout)
    agent = {"TOOLCELL_TOKEN_FILE": str(tmp_path / "token")}
    assert [tool["name"] for tool in json.loads(server.output("tools", "--json", **agent))] == [
        "search_customer"
    ]
    assert server.output(*ADA, **agent)
    refused = {
        words: server.toolcell(*words, **agent)
        for words in (("call", "quote_shipping"), ("runs",), ("token", "list"))
    }
    assert {done.returncode for done in refused.values()} == {4}
    assert "--tool quote_shipping" in refused["call", "quote_shipping"].stderr
    assert "--group traces" in refused[("runs",)].stderr
    row = server.output("token", "list").splitlines()[1]
    assert "valid until" in row
    assert "for a test" in row
    token_id = row.split()[0]
    assert json.loads(server.output("token", "list", "--json"))[0]["token_id"] == token_id
    assert "is revoked" in server.toolcell("token", "revoke", token_id).stderr
    done = server.toolcell(*ADA, **agent)
    assert done.returncode == 4
    assert "(TOKEN_REVOKED)" in done.stderr
    assert "revoked" in server.output("token", "list").splitlines()[1]


@pytest.mark.parametrize("token", ["tc_dev_made_up", "nonsense"])
def test_a_token_that_is_none_is_refused_and_not_shown(server: Server, token: str) -> None:
    done = server.toolcell("tools", TOOLCELL_TOKEN=token)
    assert done.returncode == 4
    assert token not in done.stderr


def test_an_unknown_token_cannot_be_revoked(server: Server) -> None:
    assert server.toolcell("token", "revoke", "nothing").returncode == 5


def test_no_command_but_create_shows_a_token(server: Server) -> None:
    key = (server.folder / ".toolcell/dev.key").read_text().strip()
    commands = (("tools",), ("runs",), ("trace",), ("token", "list"), ("doctor",), ("--help",))
    shown = "".join(server.lines)
    shown += "".join(done.stdout + done.stderr for done in (server.toolcell(*words) for words in commands))
    assert key not in shown
    assert not KEY.search(shown)


# ── doctor, reload, and servers that are not there ────────────────────────────────────────────────────────


def test_the_doctor_finds_a_server_that_is_well(server: Server) -> None:
    done = server.toolcell("doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert not re.search(r"^fail", done.stdout, re.MULTILINE)
    for name in (
        "python",
        "libraries",
        "kernel",
        "isolation",
        "sqlite",
        "port",
        "database",
        "key file",
        "tools",
    ):
        assert re.search(rf"^(ok|warn) +{name} ", done.stdout, re.MULTILINE), name
    assert "a dev server is serving there" in done.stdout


def test_the_doctor_works_without_a_server_and_says_what_to_do(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    (tmp_path / ".toolcell").mkdir(mode=0o755)
    (tmp_path / ".toolcell").chmod(0o755)
    (tmp_path / ".toolcell/dev.key").write_text("tc_dev_secret")
    (tmp_path / ".toolcell/dev.key").chmod(0o644)
    (tmp_path / "handlers/quote_shipping/cell.toml").write_text('memroy = "1 MiB"\n')
    done = run_toolcell(tmp_path, "doctor", "--json")
    failures = {
        check["detail"]: check["advice"] for check in json.loads(done.stdout) if check["verdict"] == "fail"
    }
    assert done.returncode == 1
    assert set(failures.values()) >= {"chmod 700 .toolcell", "chmod 600 .toolcell/dev.key"}
    assert any("memroy" in detail for detail in failures)
    assert len(failures) == 3


def test_the_doctor_says_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "toolcell.toml").write_text("[grpc]\nlisten = 7\n")
    done = run_toolcell(tmp_path, "doctor")
    assert done.returncode == 1
    assert "grpc.listen" in done.stdout


def test_a_reload_says_what_changed_and_what_is_wrong(tmp_path: Path) -> None:
    with Server.dev(copy_workspace(tmp_path)) as server:
        assert server.output("reload") == ""
        (tmp_path / "handlers/quote_shipping/handler.py").unlink()
        (tmp_path / "protos/examples/crm/v1/crm.proto").write_text("syntax = nonsense;")
        done = server.toolcell("reload")
        assert done.returncode == 1
        assert "crm.proto:1:" in done.stderr
        assert server.toolcell("call", "quote_shipping").returncode in (1, 5)


def test_a_server_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_toolcell(tmp_path, "--server", address, "tools", TOOLCELL_TOKEN="tc_dev_x")
    assert done.returncode == 8
    assert address in done.stderr
    assert "toolcell dev" in done.stderr


def test_a_server_that_cannot_start_says_why(server: Server) -> None:
    done = server.toolcell("dev", "--grpc", "127.0.0.1:0")
    assert done.returncode != 0
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_serve_takes_a_token_made_before_its_start(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    made = run_toolcell(
        tmp_path, "token", "create", "--caller", "ops", "--group", "invoke", "--tool", "*", "--state", "state"
    )
    assert (made.returncode, made.stderr) == (0, "")
    token = made.stdout.strip()
    assert KEY.fullmatch(token)
    command = [str(PROGRAMS / "toolcell"), "serve", "--grpc", "127.0.0.1:0", "--state", "state"]
    with Server(command, tmp_path, ready='"serving"') as server:
        (serving,) = [json.loads(line) for line in server.lines if '"serving"' in line]
        called = run_toolcell(tmp_path, "--server", serving["address"], *ADA, TOOLCELL_TOKEN=token)
        assert (called.returncode, called.stderr) == (0, "")
        assert server.stop() == 0
    assert token not in "".join(server.lines)
