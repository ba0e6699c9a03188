"""Which server a command speaks to, with which token, over what."""

import os
from pathlib import Path
from typing import Any

import pytest

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Session, aim, find_state

VARIABLES = ("TOOLCELL_SERVER", "TOOLCELL_TOKEN", "TOOLCELL_TOKEN_FILE", "TOOLCELL_STATE_DIRECTORY")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in an empty folder with none of our variables set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dev(workspace: Path) -> Path:
    """A dev server's state."""
    state = workspace / ".toolcell"
    state.mkdir()
    (state / "address").write_text("127.0.0.1:7333\n")
    (state / "dev.key").write_text("tc_dev_key\n")
    return state


def refused(session: Session) -> CommandError:
    with pytest.raises(CommandError) as caught:
        aim(session)
    assert caught.value.hint
    return caught.value


def test_the_dev_server_here_is_the_default(dev: Path) -> None:
    target = aim(Session())
    assert (target.address, target.bearer, target.tls) == ("127.0.0.1:7333", "tc_dev_key", False)


def test_it_is_found_from_a_folder_below(dev: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "handlers" / "x").mkdir(parents=True)
    monkeypatch.chdir(workspace / "handlers" / "x")
    assert find_state() == dev


def test_one_that_belongs_to_somebody_else_does_not_count(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    assert find_state() is None


def test_another_state_directory_can_be_named(
    dev: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCELL_STATE_DIRECTORY", str(workspace / "elsewhere"))
    assert find_state() == workspace / "elsewhere"
    assert refused(Session()).exit_code == EXITS["server unreachable"]


def test_without_a_server_the_hint_says_how_to_start_one() -> None:
    error = refused(Session())
    assert error.exit_code == EXITS["server unreachable"]
    assert "toolcell dev" in error.hint


def test_the_key_of_the_dev_server_goes_to_no_other(dev: Path) -> None:
    error = refused(Session(server="127.0.0.1:9"))
    assert error.exit_code == EXITS["not authorized"]
    assert "TOOLCELL_TOKEN_FILE" in error.hint


def test_a_token_file_is_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "token").write_text(" tc_from_file\n")
    monkeypatch.setenv("TOOLCELL_TOKEN_FILE", "token")
    assert aim(Session(server="127.0.0.1:9")).bearer == "tc_from_file"
    assert aim(Session(server="127.0.0.1:9", token="tc_said")).bearer == "tc_said"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_token_file_without_a_token_is_refused(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (workspace / "token").write_bytes(content)
    monkeypatch.setenv("TOOLCELL_TOKEN_FILE", "token")
    assert refused(Session(server="127.0.0.1:9")).exit_code == EXITS["not authorized"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"])
def test_this_machine_is_spoken_to_in_the_clear(address: str) -> None:
    assert not aim(Session(server=address, token="t")).tls


@pytest.mark.parametrize(
    "address", ["example.com:443", "10.0.0.1:1", "[2001:db8::1]:1", "localhost.example.com:1"]
)
def test_others_only_when_asked_for(address: str) -> None:
    assert aim(Session(server=address, token="t")).tls
    assert not aim(Session(server=address, token="t", insecure=True)).tls


@pytest.mark.parametrize(
    "address", ["", ":1", "host", "host:", "host:0", "host:65536", "host:²", "http://host"]
)
def test_what_is_no_address_is_refused(dev: Path, address: str) -> None:
    if address:
        assert refused(Session(server=address, token="t")).exit_code == EXITS["usage"]


def test_certificates_are_read_and_turn_tls_on(workspace: Path) -> None:
    for name in ("ca.pem", "client.pem", "client.key"):
        (workspace / name).write_text(name)
    session = Session(server="127.0.0.1:1", token="t", ca="ca.pem", cert="client.pem", key="client.key")
    target = aim(session)
    assert (target.tls, target.ca, target.cert, target.key) == (True, b"ca.pem", b"client.pem", b"client.key")


@pytest.mark.parametrize(
    "options", [{"ca": "missing.pem"}, {"cert": "x"}, {"key": "x"}, {"insecure": True, "ca": "x"}]
)
def test_certificates_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    assert refused(Session(server="127.0.0.1:1", token="t", **options)).exit_code == EXITS["usage"]


def test_an_error_never_shows_the_token(dev: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(Session(server="nowhere", token="tc_secret")).show(as_json=True)
    assert "tc_secret" not in capsys.readouterr().err
