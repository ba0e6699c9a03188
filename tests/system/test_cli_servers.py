"""`toolcell doctor`, `reload`, `dev` and `serve`, with a server and without."""

import json
import os
import re
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
    """One dev server for all tests here: none of them changes its workspace."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


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


def test_a_reload_says_what_is_wrong_and_what_is_not_served(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    (tmp_path / "handlers/quote_shipping/handler.py").unlink()
    with Server.dev(tmp_path) as server:
        (tmp_path / "protos/examples/crm/v1/crm.proto").write_text("syntax = nonsense;")
        done = server.toolcell("reload")
        assert done.returncode == 1
        assert "crm.proto:1:" in done.stderr
        assert "HANDLER_MISSING" in server.output("tools")
        card = server.output("tools", "quote_shipping")
        assert re.search(r"^state +HANDLER_MISSING$", card, re.MULTILINE)
        assert re.search(r"^remedy +\S", card, re.MULTILINE)
        refused = server.toolcell("call", "quote_shipping", '{"weight_kg": 1, "country": "FR"}')
        assert refused.returncode == 1
        assert "(TOOL_UNAVAILABLE)" in refused.stderr


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


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (("--caller", "Bad Caller"), "caller"),
        (("--tool", "["), "grants.tools"),
        (("--ttl", "0.1"), "ttl"),
        (("--note", "a\tb"), "note"),
    ],
)
def test_a_token_made_without_a_server_is_held_to_the_servers_rules(
    tmp_path: Path, wrong: tuple[str, str], field: str
) -> None:
    words = (
        "token",
        "create",
        "--caller",
        "ops",
        "--group",
        "invoke",
        "--tool",
        "*",
        "--state",
        str(tmp_path),
    )
    done = run_toolcell(tmp_path, *words, *wrong)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines()[0] == "error: the request is rejected (REQUEST_INVALID)"
    assert done.stderr.splitlines()[1].startswith(f"  {field}")
    assert not (tmp_path / "toolcell.db").exists()


def test_a_call_does_not_fail_because_nobody_reads_the_servers_lines(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    command = [str(PROGRAMS / "toolcell"), "dev", "--grpc", "127.0.0.1:0"]
    reading, writing = os.pipe()
    server = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    with server, os.fdopen(reading) as lines:
        assert any("Ctrl-C" in line for line in iter(lines.readline, ""))
        lines.close()
        for _ in range(3):
            called = run_toolcell(tmp_path, *ADA)
            assert (called.returncode, called.stderr) == (0, "")
        assert "SUCCEEDED" in run_toolcell(tmp_path, "runs").stdout
        server.terminate()
        assert server.wait() == 0
        assert server.stderr is not None
        assert server.stderr.read() == b""


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    (tmp_path / ".toolcell/dev.key").mkdir(parents=True)
    done = run_toolcell(tmp_path, "dev", "--grpc", "127.0.0.1:0")
    assert done.returncode == 8
    assert "dev.key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_in_words_alone(tmp_path: Path) -> None:
    copy_workspace(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_toolcell(tmp_path, "serve", "--grpc", address)
    assert done.returncode == 8
    first, hint = done.stderr.splitlines()
    assert first.startswith(f"error: cannot bind {address}: Address already in use. ")
    assert hint.startswith("hint: ")
