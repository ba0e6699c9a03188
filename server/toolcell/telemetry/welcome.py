"""What `toolcell dev` says first."""

from collections.abc import Sequence
from typing import Final

_MOST: Final = 20


def welcome(
    version: str,
    address: str,
    *,
    key: str,
    is_tls: bool,
    level: int,
    tools: Sequence[str],
    notes: Sequence[str],
    problems: Sequence[str],
) -> str:
    """Writes where the server is, where its key is, its isolation level, its tools, notes and problems."""
    rows = [
        ("serving", f"{address}  gRPC{'' if is_tls else ', plaintext, this machine only'}"),
        ("key", f"{key}  (for other clients: authorization: Bearer $(cat {key}))"),
        ("isolation", f"level {level}: a fresh confined process for every call"),
        ("tools", _some(tools) or "none yet: write a method in a .proto and handlers/<tool>/handler.py"),
        *(("note", note) for note in notes),
        *(("problem", problem) for problem in problems[:_MOST]),
    ]
    if len(problems) > _MOST:
        rows.append(("problems", f"and {len(problems) - _MOST} more: `toolcell doctor` tells them all"))
    text = "".join(f"  {name:<10} {line}\n" for name, line in rows)
    return f"Toolcell {version}\n{text}Ctrl-C stops it. One line a call:"


def _some(tools: Sequence[str]) -> str:
    more = f", and {len(tools) - _MOST} more: `toolcell tools` lists them" if len(tools) > _MOST else ""
    return ", ".join(tools[:_MOST]) + more
