"""What a cell says becomes bounded events."""

from collections.abc import Mapping
from typing import Any

from toolcell.cells.relay import BYTE_LIMIT, EVENT_LIMIT, LINE_LIMIT, Lines, Relay
from toolcell.model.span import EventKind
from toolcell.wire.frames import Frame

Events = list[tuple[EventKind, Mapping[str, Any]]]


def relay() -> tuple[Relay, Events]:
    events: Events = []
    return Relay(lambda kind, body: events.append((kind, body))), events


def test_lines_are_cut_out_of_the_stream_wherever_it_was_split() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\n\n") == ["two", ""]
    assert lines.feed(b"\xc3") == []
    assert lines.feed(b"\xa9") == []
    assert lines.end() == ["é"]
    assert lines.end() == []


def test_a_long_line_is_cut_and_the_next_one_is_whole() -> None:
    lines = Lines()
    assert lines.feed(b"x" * 50_000) == []
    assert lines.feed(b"x" * 50_000 + b"\nnext\n") == ["x" * LINE_LIMIT, "next"]


def test_events_are_bounded_by_number() -> None:
    into, events = relay()
    into.output(EventKind.STDOUT, b"x\n" * (EVENT_LIMIT + 7))
    into.end(dropped_by_cell=2)
    assert len(events) == EVENT_LIMIT + 1
    assert events[-1] == (EventKind.TRUNCATED, {"dropped": 9})


def test_events_are_bounded_by_size() -> None:
    into, events = relay()
    into.output(EventKind.STDERR, (b"x" * LINE_LIMIT + b"\n") * 100)
    into.end()
    kept = BYTE_LIMIT // LINE_LIMIT
    assert events[-1] == (EventKind.TRUNCATED, {"dropped": 100 - kept})


def test_what_must_be_told_is_told_beyond_every_bound() -> None:
    into, events = relay()
    into.output(EventKind.STDOUT, b"x\n" * 5000)
    into.tell(EventKind.VIOLATION, {"signal": "SIGSYS"})
    assert events[-1] == (EventKind.VIOLATION, {"signal": "SIGSYS"})


def test_a_log_line_larger_than_the_runtime_sends_is_cut() -> None:
    into, events = relay()
    into.said(Frame("log", {"level": "info", "message": "m" * 20_000, "fields": {"a": "x" * 20_000}}, 40_100))
    assert events == [(EventKind.LOG, {"level": "info", "message": "m" * LINE_LIMIT, "fields": {}})]


def test_nothing_said_is_nothing_told() -> None:
    into, events = relay()
    into.end()
    assert events == []
