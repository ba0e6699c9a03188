"""Clients in Python, Go and Node: the agent's loop, a call of a tool's own method, the trace, (m)TLS."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.dev_server import PROGRAMS, ROOT, Server, copy_workspace, environment, run_toolcell

pytestmark = pytest.mark.timeout(900)  # the first of them waits for the clients to be built

TLS = ROOT / "tests/unit/transports/tls"
CA, CLIENT, CLIENT_KEY = (str(TLS / name) for name in ("ca.pem", "client.pem", "client.key"))
RECORDED = str(ROOT / "clients/python/recorded/openai_chat.jsonl")
LOOPS = {
    "python": (sys.executable, str(ROOT / "clients/python/agent_loop.py"), RECORDED),
    "go": ("agent-loop", RECORDED, str(ROOT / "clients/sentences.json")),
    "node": ("node", str(ROOT / "clients/node/agent_loop.mjs"), RECORDED),
}
CALLS = {
    "python": (sys.executable, str(ROOT / "clients/python/typed_call.py")),
    "go": ("typed-call",),
    "node": ("node", str(ROOT / "clients/node/typed_call.mjs")),
}
TAILS = {
    "python": (sys.executable, str(ROOT / "clients/python/tail.py")),
    "go": ("tail-trace",),
    "node": ("node", str(ROOT / "clients/node/tail.mjs")),
}
LANGUAGES = list(CALLS)
OTHERS = ["go", "node"]
CERTIFICATES = {"TOOLCELL_CA": CA, "TOOLCELL_CERT": CLIENT, "TOOLCELL_KEY": CLIENT_KEY}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dev server with the example tools."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


@pytest.fixture(scope="module", params=["tls", "mtls"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A production server with a certificate, which may want the client's too."""
    folder = copy_workspace(tmp_path_factory.mktemp(request.param))
    (folder / "state").mkdir(mode=0o700)
    grants = ("--group", "invoke", "--group", "traces", "--tool", "*")
    made = run_toolcell(folder, "token", "create", "--caller", "agent", *grants, "--state", "state")
    (folder / "token").write_text(made.stdout)
    command = [str(PROGRAMS / "toolcell"), "serve", "--grpc", "127.0.0.1:0", "--state", "state"]
    command += ["--certificate", str(TLS / "server.pem"), "--certificate-key", str(TLS / "server.key")]
    command += ["--client-ca", CA] if request.param == "mtls" else []
    with Server(command, folder, ready='"serving"') as running:
        running.is_mutual = request.param == "mtls"  # type: ignore[attr-defined] # this test's own word
        yield running


def run(clients: Path, folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a client in a server's folder."""
    env = environment(**variables)
    env["PATH"] = f"{clients}:{env['PATH']}"
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def said(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", OTHERS)
def test_a_model_is_told_the_same_in_every_language(clients: Path, server: Server, language: str) -> None:
    python, other = (run(clients, server.folder, *LOOPS[it]) for it in ("python", language))
    assert other.returncode == 0, other.stderr
    told = [json.loads(line) for line in other.stdout.splitlines()]
    assert told == [json.loads(line) for line in python.stdout.splitlines()]
    assert "the model sees search_customer" in other.stderr.splitlines()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_token_ends_the_loop(clients: Path, server: Server, language: str) -> None:
    done = run(clients, server.folder, *LOOPS[language], TOOLCELL_TOKEN="tc_dev_wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert "token" in done.stderr
    assert "tc_dev_wrong" not in done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_key_of_the_dev_server_goes_to_no_other(clients: Path, server: Server, language: str) -> None:
    done = run(clients, server.folder, *LOOPS[language], TOOLCELL_SERVER="127.0.0.1:9")
    assert done.returncode == 1
    assert "TOOLCELL_TOKEN_FILE" in done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tool_s_own_method_is_called_with_its_own_messages(
    clients: Path, server: Server, language: str
) -> None:
    answer = said(run(clients, server.folder, *CALLS[language], "2.5", "FR"))
    assert answer["currency"] == "EUR"
    assert answer["price_cents"] > 0
    record = json.loads(server.output("trace", answer["invocation_id"], "--json"))["invocation"]
    assert record["tool_call_id"] == f"call_{language}"
    assert record["labels"] == {"client": language}
    assert json.loads(record["output_json"])["price_cents"] == str(answer["price_cents"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "expected", [("99", "FR", "INPUT_INVALID", "NO"), ("2.5", "KP", "TOOL_ERROR", "YES")]
)
def test_what_went_wrong_is_a_status_with_its_reason(
    clients: Path, server: Server, language: str, expected: tuple[str, str, str, str]
) -> None:
    weight, country, reason, executed = expected
    answer = said(run(clients, server.folder, *CALLS[language], weight, country))
    assert (answer["reason"], answer["executed"]) == (reason, executed)
    assert answer["message"]
    assert answer["invocation_id"].startswith("inv_")


def events(done: subprocess.CompletedProcess[str]) -> list[Any]:
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_whole(shown: list[Any], invocation_id: str) -> bool:
    """Says whether these events tell an invocation from its start to its end, in the order of the stream."""
    kinds = [event["kind"] for event in shown]
    sequences = [int(event["sequence"]) for event in shown]
    return (
        (kinds[0], kinds[-1]) == ("started", "ended")
        and shown[-1]["body"]["state"] == "SUCCEEDED"
        and sequences == sorted(set(sequences))
        and {event["invocation_id"] for event in shown} == {invocation_id}
        and all(event["time"] and event["cursor"] for event in shown)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_trace_is_shown_from_a_cursor(clients: Path, server: Server, language: str) -> None:
    tail = TAILS[language]
    answer = said(run(clients, server.folder, *CALLS[language], "2.5", "FR"))
    everything = events(run(clients, server.folder, *tail, "0"))
    one = [event for event in everything if event["invocation_id"] == answer["invocation_id"]]
    assert is_whole(one, answer["invocation_id"])
    assert events(run(clients, server.folder, *tail, one[0]["cursor"])) == one[1:]
    assert events(run(clients, server.folder, *tail)) == everything
    assert events(run(clients, server.folder, *tail, "--invocation", answer["invocation_id"])) == one


@pytest.mark.parametrize("language", OTHERS)
def test_the_trace_is_the_same_in_every_language(clients: Path, server: Server, language: str) -> None:
    said(run(clients, server.folder, *CALLS[language], "2.5", "KP"))
    python, other = (events(run(clients, server.folder, *TAILS[it], "0")) for it in ("python", language))
    assert other == python
    assert python[-1]["body"]["state"] == "FAILED"


def follow(clients: Path, folder: Path, language: str, cursor: str) -> subprocess.Popen[str]:
    """Starts a program that follows the trace."""
    env = environment()
    env["PATH"] = f"{clients}:{env['PATH']}"
    command = (*TAILS[language], "--follow", cursor)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trace_that_is_followed_goes_on(clients: Path, server: Server, language: str) -> None:
    known = events(run(clients, server.folder, *TAILS["python"]))
    cursor = known[-1]["cursor"] if known else "0"
    with follow(clients, server.folder, language, cursor) as following:
        assert following.stdout
        try:
            for _ in range(2):  # the second call happens while it is known to follow
                answer = said(run(clients, server.folder, *CALLS["python"], "2.5", "FR"))
                shown = [json.loads(following.stdout.readline())]
                while shown[-1]["kind"] != "ended":
                    shown.append(json.loads(following.stdout.readline()))
                assert is_whole(shown, answer["invocation_id"])
        finally:
            following.send_signal(signal.SIGINT)
    assert following.returncode == -signal.SIGINT


def test_who_follows_is_told_that_the_server_goes(clients: Path, tmp_path: Path) -> None:
    with Server.dev(copy_workspace(tmp_path)) as server:
        said(run(clients, tmp_path, *CALLS["python"], "2.5", "FR"))
        following = [follow(clients, tmp_path, language, "0") for language in LANGUAGES]
        for one in following:
            assert one.stdout
            assert json.loads(one.stdout.readline())["kind"] == "started"
        server.stop()
        for one in following:
            _, complaint = one.communicate()
            assert one.returncode == 1
            assert "Traceback" not in complaint
            assert "the server" in complaint.lower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cursor_that_is_none_is_refused(clients: Path, server: Server, language: str) -> None:
    done = run(clients, server.folder, *TAILS[language], "yesterday")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cursor" in done.stderr


def run_secured(
    clients: Path, secured: Server, *command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a client as the caller `agent` of a production server."""
    (serving,) = [json.loads(line) for line in secured.lines if '"serving"' in line]
    settings = {"TOOLCELL_SERVER": serving["address"], "TOOLCELL_TOKEN_FILE": "token"}
    return run(clients, secured.folder, *command, **settings, **variables)


def call(clients: Path, secured: Server, language: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_secured(clients, secured, *CALLS[language], "2.5", "FR", **variables)


@pytest.mark.parametrize("language", LANGUAGES)
def test_certificates_make_a_connection(clients: Path, secured: Server, language: str) -> None:
    assert said(call(clients, secured, language, **CERTIFICATES))["currency"] == "EUR"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_trace_is_shown_over_them_too(clients: Path, secured: Server, language: str) -> None:
    answer = said(call(clients, secured, language, **CERTIFICATES))
    shown, python = (
        events(run_secured(clients, secured, *TAILS[it], "0", **CERTIFICATES)) for it in (language, "python")
    )
    one = [event for event in shown if event["invocation_id"] == answer["invocation_id"]]
    assert is_whole(one, answer["invocation_id"])
    assert shown == python


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("given", [{}, {"TOOLCELL_CA": CLIENT}, {"TOOLCELL_CA": CA}])
def test_anything_less_does_not(clients: Path, secured: Server, language: str, given: dict[str, str]) -> None:
    done = call(clients, secured, language, **given)
    is_enough = given.get("TOOLCELL_CA") == CA and not secured.is_mutual  # type: ignore[attr-defined] # set above
    assert (done.returncode == 0) is is_enough, done
    assert bool(done.stdout) is is_enough
