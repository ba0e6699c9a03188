"""`toolcell check` on a workspace under git: style, callers of before, and what models are shown."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.dev_server import PROGRAMS, ROOT, environment

SPEED = "Speed speed = 3"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The examples' contracts, checked, locked and committed."""
    shutil.copytree(ROOT / "protos/examples", tmp_path / "protos/examples")
    assert check(tmp_path, "--write").returncode == 0
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.ch", "commit", "-qm", "Begin")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run([shutil.which("git") or "git", *words], cwd=folder, check=True)


def check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAMS / "toolcell"), "check", *words]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def edit(workspace: Path, old: str, new: str) -> None:
    path = workspace / "protos/examples/shipping/v1/shipping.proto"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_is_as_it_was_is_fine(workspace: Path) -> None:
    done = check(workspace, "--against", "HEAD")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["DIALECT", "enrich_customer", "quote_shipping", "search_customer"]
    assert ["json", "ok", "ok", "ok"] in [row.split() for row in rows]
    assert len(rows) == 10


def test_an_edit_that_changes_what_models_are_shown_is_told(workspace: Path) -> None:
    edit(workspace, "(buf.validate.field).enum.defined_only = true", "(buf.validate.field).required = true")
    done = check(workspace, "--json")
    assert done.returncode == 1
    (change,) = json.loads(done.stdout)["changes"]
    assert change.endswith("dialects of quote_shipping: field speed became required")
    assert check(workspace, "--write").returncode == 0
    assert check(workspace).returncode == 0


def test_a_break_of_callers_is_told_with_its_place(workspace: Path) -> None:
    edit(workspace, SPEED, "Speed pace = 3")
    assert check(workspace, "--write").returncode == 0
    done = check(workspace, "--against", "HEAD")
    assert done.returncode == 1
    assert 'from "speed" to "pace"' in done.stderr


def test_style_is_looked_at(workspace: Path) -> None:
    edit(workspace, SPEED, "bool Insured = 4;\n  Speed speed = 3")
    done = check(workspace)
    assert done.returncode == 1
    assert "FIELD_LOWER_SNAKE_CASE" in done.stderr


def test_a_contract_that_does_not_compile_is_a_problem(workspace: Path) -> None:
    edit(workspace, SPEED, "Sped speed = 3")
    done = check(workspace)
    assert done.returncode == 1
    assert "shipping.proto:" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--against", "nowhere"), "git does not give"), (("--protos", "none"), "no folder none")],
)
def test_what_cannot_be_checked_is_refused_in_words(
    workspace: Path, words: tuple[str, ...], said: str
) -> None:
    done = check(workspace, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_lock_that_is_none_is_refused(workspace: Path) -> None:
    (workspace / "toolcell.lock").write_text("{}")
    assert check(workspace).returncode == 2
    (workspace / "toolcell.lock").unlink()
    done = check(workspace)
    assert done.returncode == 1
    assert "--write" in done.stderr


def test_the_examples_are_as_their_lock_says() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stderr
