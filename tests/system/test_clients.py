"""Clients in Python, Go and Node: the agent's loop, a call of a tool's own method, TLS and mTLS."""

import json
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
    grants = ("--group", "invoke", "--tool", "*")
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


def call(clients: Path, secured: Server, language: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (serving,) = [json.loads(line) for line in secured.lines if '"serving"' in line]
    settings = {"TOOLCELL_SERVER": serving["address"], "TOOLCELL_TOKEN_FILE": "token"}
    return run(clients, secured.folder, *CALLS[language], "2.5", "FR", **settings, **variables)


@pytest.mark.parametrize("language", LANGUAGES)
def test_certificates_make_a_connection(clients: Path, secured: Server, language: str) -> None:
    assert said(call(clients, secured, language, **CERTIFICATES))["currency"] == "EUR"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("given", [{}, {"TOOLCELL_CA": CLIENT}, {"TOOLCELL_CA": CA}])
def test_anything_less_does_not(clients: Path, secured: Server, language: str, given: dict[str, str]) -> None:
    done = call(clients, secured, language, **given)
    is_enough = given.get("TOOLCELL_CA") == CA and not secured.is_mutual  # type: ignore[attr-defined] # set above
    assert (done.returncode == 0) is is_enough, done
    assert bool(done.stdout) is is_enough
