"""The command line as a whole, without a server."""

import json
from pathlib import Path

import click
import pytest

from toolcell.cli import VERBS, _not_text, main
from toolcell.cli.errors import EXITS


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands where no server is known."""
    for name in ("TOOLCELL_SERVER", "TOOLCELL_TOKEN", "TOOLCELL_TOKEN_FILE", "TOOLCELL_STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_verb_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        assert main([verb, "--help"]) == EXITS["ok"]
        assert capsys.readouterr().out.startswith(f"Usage: toolcell {verb}")


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == EXITS["ok"]
    assert capsys.readouterr().out.startswith("toolcell ")


def test_without_a_verb_the_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == EXITS["usage"]
    assert "search" not in (shown := capsys.readouterr().err)
    assert all(verb in shown for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["cal"], "did you mean call?"),
        (["xyzzy"], "toolcell --help lists the verbs"),
        (["call", "--server", "x"], "--server stands before the verb"),
        (["call", "--jsn", "x"], "toolcell call --help"),
        (["call"], "toolcell call --help"),
        (["call", "x", "-a", "query", "--server"], "--server stands before the verb"),
        (["call", "x", "@missing.json"], "@FILE reads the arguments from a file"),
        (["token", "create"], "toolcell token create --help"),
        (["token", "create", "--caller", "x", "--group", "invoke"], "--tool"),
        (
            ["token", "create", "--caller", "x", "--group", "admin", "--ttl", "soon"],
            "toolcell token create --help",
        ),
        (
            ["token", "create", "--caller", "x", "--group", "admin", "--ttl", "0"],
            "toolcell token create --help",
        ),
        (["runs", "--failed", "--state", "running"], "give one"),
        (["runs", "--label", "x"], "toolcell runs --help"),
        (["dev", "--grpc", "everywhere"], "flags win over"),
        (["call", "x", "--timeout", "9999999d"], "toolcell call --help"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == EXITS["usage"]
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ")
    assert hint in err


@pytest.mark.parametrize(
    "words", [["tools"], ["call", "x", "{}"], ["runs"], ["trace", "x"], ["token", "list"]]
)
def test_without_a_server_every_verb_says_so(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == EXITS["server unreachable"]
    assert "toolcell dev" in capsys.readouterr().err


def test_errors_are_json_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "--json"]) == EXITS["server unreachable"]
    error = json.loads(capsys.readouterr().err)["error"]
    assert set(error) == {"reason", "message", "where", "hint"}


def test_a_file_of_arguments_that_is_too_large_or_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large.json").write_text(" " * ((4 << 20) + 1))
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    for name in ("large", "binary"):
        assert main(["call", "x", f"@{name}.json"]) == EXITS["invalid arguments"]


def test_a_bug_is_not_taken_for_a_failed_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("toolcell.cli.records._newest", lambda *_: 1 / 0)
    assert main(["runs"]) == EXITS["internal"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_no_option_but_token_takes_a_secret() -> None:
    context = click.Context(main)
    waiting = [command for verb in VERBS if (command := main.get_command(context, verb))]
    assert len(waiting) == len(VERBS)
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        options = {option.name for option in command.params if isinstance(option, click.Option)}
        assert not options & {"token", "secret", "password", "bearer"}, command.name


@pytest.mark.parametrize(
    "words",
    [
        ["call", "search", "-a", "query=\udcff"],
        ["call", "search", '{"query": "\udcff"}'],
        ["call", "search", "{}", "--label", "k=\udcff"],
        ["runs", "--caller", "\udcff"],
        ["token", "revoke", "\udcff"],
    ],
)
def test_bytes_that_are_no_text_are_refused_in_words(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOOLCELL_SERVER", "127.0.0.1:1")
    monkeypatch.setenv("TOOLCELL_TOKEN", "tc_dev_x")
    code = main(words)
    err = capsys.readouterr().err
    if "-a" in words:  # asks for the schema first
        assert code == EXITS["server unreachable"]
    else:
        assert (code, err.splitlines()[0]) == (2, "error: the command line holds bytes that are no UTF-8")
    assert "Traceback" not in err


@pytest.mark.parametrize("token", ["tc_dev\nx", "h\xe4\xe4", "tc_\udcff", "a\tb"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOOLCELL_SERVER", "127.0.0.1:1")
    assert main(["--token", token, "tools"]) == EXITS["not authorized"]
    err = capsys.readouterr().err
    assert err.startswith("error: the token holds characters that no token has")
    assert token not in err


def test_an_answer_that_the_terminal_cannot_show_is_no_bug_of_ours() -> None:
    told = _not_text(UnicodeEncodeError("ascii", "\xe4", 0, 1, "ordinal not in range"))
    assert "ascii cannot show" in told.what
    assert "PYTHONIOENCODING" in told.hint


def test_the_manifest_s_help_names_every_dialect() -> None:
    from toolcell.cli.tools import DIALECTS
    from toolcell.contracts import dialects

    assert set(DIALECTS) == set(dialects.DIALECTS)
