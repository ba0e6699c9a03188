"""What `toolcell dev` says first."""

from collections.abc import Sequence


def welcome(
    version: str,
    address: str,
    *,
    key: str,
    is_tls: bool,
    level: int,
    tools: Sequence[str],
    notes: Sequence[str],
) -> str:
    """Writes where the server is, the file with its key, its isolation level, its tools, and the notes."""
    rows = [
        ("serving", f"{address}  gRPC{'' if is_tls else ', plaintext, this machine only'}"),
        ("key", f"{key}  (for other clients: authorization: Bearer $(cat {key}))"),
        ("isolation", f"level {level}: a fresh confined process for every call"),
        ("tools", ", ".join(tools) or "none yet: write a method in a .proto and handlers/<tool>/handler.py"),
        *(("note", note) for note in notes),
    ]
    text = "".join(f"  {name:<10} {line}\n" for name, line in rows)
    return f"Toolcell {version}\n{text}Ctrl-C stops it. One line a call:"
