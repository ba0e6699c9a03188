"""How values look on a terminal: safe, aligned, in words."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click


def plain(text: str) -> str:
    """Escapes every character that does not print: what tools and callers wrote must not steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def lines(text: str) -> list[str]:
    """Splits text at line feeds alone and escapes what does not print in each line."""
    return [plain(line.expandtabs(4)) for line in text.split("\n")]


def paint(text: str, colour: str, *, err: bool = False) -> str:
    """Colours text on a terminal that wants colours (NO_COLOR is unset)."""
    stream = sys.stderr if err else sys.stdout
    return click.style(text, fg=colour) if stream.isatty() and not os.environ.get("NO_COLOR") else text


def pretty(value: Any) -> str:
    """Writes JSON data indented, escaping what a terminal would not print."""
    return "\n".join(lines(json.dumps(value, indent=2, ensure_ascii=False)))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligns rows under a header; the last column is as wide as it likes."""
    cells = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([paint(aligned[0], "bright_black"), *aligned[1:]])


def moment(microseconds: int, *, now: datetime | None = None) -> str:
    """Writes a time since the epoch in local time, without the date when it is today's; "" for 0."""
    if not microseconds:
        return ""
    when = datetime.fromtimestamp(microseconds / 1e6, UTC).astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    return when.strftime("%H:%M:%S" if when.date() == today else "%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Writes a length of time with few digits: `850 µs`, `12.3 ms`, `4.20 s`, `3 min 20 s`."""
    minutes, rest = divmod(seconds, 60)
    if minutes:
        return f"{int(minutes)} min {int(rest)} s"
    if rest >= 1:
        return f"{rest:.2f} s"
    milliseconds = rest * 1e3
    return f"{milliseconds:.3g} ms" if milliseconds >= 1 else f"{milliseconds * 1e3:.0f} µs"


def size(count: int) -> str:
    """Writes a number of bytes in KiB or MiB."""
    if count < 1 << 10:
        return f"{count} bytes"
    return f"{count / (1 << 10):.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"
