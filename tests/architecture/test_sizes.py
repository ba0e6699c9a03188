"""A file over 300 lines or a function over 50 needs a reason, and the reason stands here."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import ROOT, modules

FILE_LINES = 300
FUNCTION_LINES = 50  # without its docstring

#: "path" or "path:function" → why it is better long.
REASONS = {
    "server/toolcell/cells/containment/syscalls.py": "the kernel's table of system calls, one a line",
    "server/toolcell/model/errors.py": "one class for each ErrorReason: a table, written as the tree it is",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long(name: str, text: str) -> Iterator[str]:
    """Yields what is too long in a file: its own name, or its name and a function's."""
    if len(text.splitlines()) > FILE_LINES:
        yield name
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and body_lines(node) > FUNCTION_LINES:
            yield f"{name}:{node.name}"


def body_lines(function: Function) -> int:
    """Counts a function's lines from its def on, less its docstring's."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
    return lines


def test_nothing_is_long_without_a_reason_and_no_reason_outlives_its_cause() -> None:
    found = {name for path in modules() for name in too_long(str(path), (ROOT / path).read_text())}
    assert found == set(REASONS)


def test_length_is_noticed() -> None:
    body = "    x = 1\n"
    assert list(too_long("m.py", "x = 1\n" * 300)) == []
    assert list(too_long("m.py", "x = 1\n" * 301)) == ["m.py"]
    assert list(too_long("m.py", "def f():\n" + body * 49)) == []
    assert list(too_long("m.py", "async def f():\n" + body * 50)) == ["m.py:f"]
    assert list(too_long("m.py", 'def f():\n    """One.\n\n    Two."""\n' + body * 49)) == []
