"""A tool's view: what it has, and what must never be in it."""

import os
from pathlib import Path

from tests.unit.cells.toolmaker import make_tool
from toolcell.cells.view import view

HANDLER = "def handler(arguments, cell):\n    return None"


def test_code_and_declared_data_are_in_the_view_and_the_rest_is_not(tmp_path: Path) -> None:
    for name in ("data", "notes", "package", "spaced"):
        (tmp_path / name).mkdir()
    for name in ("data/a.txt", "notes/b.txt", "package/__init__.py", "side.py", "cell.toml", "spaced/c.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "linked.py").symlink_to("/etc/shadow")
    tool = make_tool(tmp_path, HANDLER, read=("data", "notes/b.txt"))
    own = {
        os.path.relpath(path, tmp_path): kind for path, kind in view(tool) if path.startswith(str(tmp_path))
    }
    assert own == {
        ".": "names",
        "handler.py": "file",
        "side.py": "file",
        "package": "tree",
        "data": "tree",
        "notes/b.txt": "file",
    }


def test_what_holds_secrets_is_never_in_the_view(tmp_path: Path) -> None:
    tool = make_tool(tmp_path / "tool", HANDLER)
    granted = [Path(path) for path, kind in view(tool) if kind != "names"]
    for secret in (
        "/etc/shadow",
        "/etc/ssl/private/key",
        "/root/.ssh",
        "/home/a",
        "/proc/1",
        "/sys",
        "/usr/src/a",
    ):
        assert not any(Path(secret).is_relative_to(path) for path in granted)
    assert Path("/dev/zero") not in granted


def test_every_path_of_the_view_is_there_and_is_no_link(tmp_path: Path) -> None:
    for path, _ in view(make_tool(tmp_path, HANDLER)):
        assert Path(path).exists()
        assert not Path(path).is_symlink()
