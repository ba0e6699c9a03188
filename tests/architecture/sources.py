"""The project's own source text, as the tests in this folder read it."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "toolcell"


def files() -> list[Path]:
    """Lists every file of the project that is committed or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    """Lists every Python file of the project, relative to its root, but for generated ones."""
    generated = ("server/toolcell/v1/", "clients/python/toolcell/")
    names = (path.relative_to(ROOT) for path in files() if path.suffix == ".py")
    return [name for name in names if not str(name).startswith(generated)]


def imports(text: str) -> Iterator[tuple[str, int]]:
    """Yields the dotted name and the line of every absolute import, however deep it stands."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno


def is_in(name: str, package: str) -> bool:
    """Says whether a dotted name is a package or anything within it."""
    return name == package or name.startswith(f"{package}.")
