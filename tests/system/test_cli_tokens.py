"""`toolcell token` against a real server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.dev_server import Server, copy_workspace

ADA = ("call", "search_customer", "-a", "query=ada@example.com")
KEY = re.compile(r"tc_[a-z]+_\w+")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One dev server for all tests here: none of them changes its workspace."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


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
