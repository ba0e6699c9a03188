"""What tools and callers wrote looks right on a terminal and cannot steer it."""

from datetime import UTC, datetime

import pytest

from toolcell.cli.text import lines, moment, plain, pretty, size, span, table


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Ada – straße 漢字", "Ada – straße 漢字"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, safe: str) -> None:
    assert plain(text) == safe


def test_line_feeds_of_descriptions_and_json_stay() -> None:
    assert lines("a\n\x1bb") == ["a", "\\x1bb"]
    assert pretty({"a": "\u009b"}) == '{\n  "a": "\\x9b"\n}'


def test_columns_are_aligned_and_safe() -> None:
    assert table(("A", "B"), [("long", "x"), ("s", "\x1by")]) == "A     B\nlong  x\ns     \\x1by"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 µs"),
        (85e-6, "85 µs"),
        (0.0123, "12.3 ms"),
        (0.9994, "999 ms"),
        (4.2, "4.20 s"),
        (200, "3 min 20 s"),
    ],
)
def test_lengths_of_time_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (65536, "64 KiB"), (18_350_080, "17.5 MiB")])
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text


def test_a_time_of_today_has_no_date() -> None:
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC).astimezone()
    stamp = int(noon.timestamp() * 1e6)
    assert moment(stamp, now=noon) == noon.strftime("%H:%M:%S")
    assert moment(stamp, now=noon.replace(year=2027)) == noon.strftime("%Y-%m-%d %H:%M:%S")
    assert not moment(0)
