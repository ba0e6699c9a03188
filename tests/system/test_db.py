"""`toolcell db`, beside a server that writes and without one; and shell completion."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.dev_server import Server, copy_workspace, environment, run_toolcell

ADA = ("call", "search_customer", "-a", "query=ada@example.com")


def test_a_backup_of_a_running_server_can_be_restored(tmp_path: Path) -> None:
    with Server.dev(copy_workspace(tmp_path)) as server:
        server.output(*ADA)
        before = json.loads(server.output("runs", "--json"))
        done = server.toolcell("db", "backup", "safe.db", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert told["size_bytes"] == (tmp_path / "safe.db").stat().st_size
        assert (tmp_path / "safe.db").stat().st_mode & 0o777 == 0o600
        server.output(*ADA)
        assert json.loads(server.output("db", "check", "--full", "--json"))["is_sound"]
    subprocess.run([str(shutil.which("sh")), "-c", told["restore"]], cwd=tmp_path, check=True)
    with Server.dev(tmp_path) as server:
        assert json.loads(server.output("runs", "--json")) == before


def test_a_backup_replaces_nothing(tmp_path: Path) -> None:
    with Server.dev(copy_workspace(tmp_path)):
        pass
    (tmp_path / "there").write_text("mine")
    done = run_toolcell(tmp_path, "db", "backup", "there")
    assert done.returncode == 2
    assert "there exists" in done.stderr
    assert (tmp_path / "there").read_text() == "mine"
    done = run_toolcell(tmp_path, "db", "backup", "new")
    assert (done.returncode, done.stdout) == (0, "")
    assert "to restore it, stop the server, then: rm -f " in done.stderr


@pytest.mark.parametrize("verb", [("db", "check"), ("db", "backup", "x")])
def test_no_database_and_a_damaged_one_are_told_apart(tmp_path: Path, verb: tuple[str, ...]) -> None:
    assert run_toolcell(tmp_path, *verb).returncode == 5
    (tmp_path / ".toolcell").mkdir()
    (tmp_path / ".toolcell/toolcell.db").write_bytes(b"not a database" * 1000)
    done = run_toolcell(tmp_path, *verb)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".toolcell"]


def complete(folder: Path, shell: str, *words: str) -> list[str]:
    """Returns what a shell would offer for the last of the words."""
    position = words[-1] if shell == "fish" else str(len(words) - 1)
    variables = {"_TOOLCELL_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(words)}
    done = run_toolcell(folder, COMP_CWORD=position, **variables)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_verbs_and_tools_are_completed(tmp_path: Path, shell: str) -> None:
    with Server.dev(copy_workspace(tmp_path)) as server:
        assert any("manifest" in word for word in complete(tmp_path, shell, "toolcell", "man"))
        for words in (("call", "quo"), ("tools", "quo"), ("manifest", "enrich_customer", "quo")):
            found = complete(tmp_path, shell, "toolcell", *words)
            assert any("quote_shipping" in word for word in found), (words, found)
        assert "complete" in server.output("completion", shell)
    assert complete(tmp_path, shell, "toolcell", "call", "quo") == []


def test_bash_itself_completes_with_the_script(tmp_path: Path) -> None:
    script = """
        eval "$(toolcell completion bash)"
        COMP_WORDS=(toolcell comp) COMP_CWORD=1
        _toolcell_completion toolcell comp toolcell
        echo "${COMPREPLY[@]}"
    """
    shell = str(shutil.which("bash"))
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("completion\n", "")
