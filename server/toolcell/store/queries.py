"""The statements of queries.sql by name, read once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"^-- name: ([a-z_]+)\n", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Splits a file of statements at its `-- name:` lines; comments are dropped.

    Raises ValueError when a name is given twice.
    """
    _, *parts = _NAME.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise ValueError(f"queries.sql names {name} twice")
        statements[name] = re.sub(r"^--.*\n?", "", body, flags=re.MULTILINE).strip()
    return statements


STATEMENTS: Final[Mapping[str, str]] = parse(
    Path(__file__).with_name("queries.sql").read_text(encoding="utf-8")
)
