"""What an operator sees, and that a call never fails because nobody reads it."""

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import pytest

from toolcell.model.errors import HandlerCrashed, Reason
from toolcell.model.span import Invocation, State
from toolcell.telemetry.lines import HumanLines, JsonLines, LibraryLog, Lines, say


def ended(**facts: object) -> Invocation:
    record = Invocation("inv_1", "t" * 32, "s" * 16)
    record.tool, record.caller, record.token_id, record.revision = "echo", "ada", "tok", "r1"
    record.create_time, record.end_time = 1_000_000, 1_012_345
    record.input_json, record.output_json = '{"question": 1}', '{"answer": 2}'
    record.state = State.SUCCEEDED
    for name, value in facts.items():
        setattr(record, name, value)
    return record


def failed(**facts: object) -> Invocation:
    return ended(state=State.FAILED, failure=HandlerCrashed(tool="echo").failure(), **facts)


def test_a_call_is_one_line_for_a_person() -> None:
    out = io.StringIO()
    lines = HumanLines(out)
    lines.invocation(ended())
    lines.invocation(failed(tool="a\x1b[31m\nb"))
    first, second = out.getvalue().splitlines()
    assert first.split() == [first[:8], "echo", "SUCCEEDED", "12.3", "ms", "inv_1", "ada"]
    assert "HANDLER_CRASHED" in second
    assert "\x1b" not in second


def test_colours_are_for_terminals() -> None:
    out = io.StringIO()
    HumanLines(out, is_coloured=True).invocation(failed())
    assert "\033[31mHANDLER_CRASHED\033[0m" in out.getvalue()


def test_a_call_is_one_json_object_without_what_went_in_or_out() -> None:
    out = io.StringIO()
    JsonLines(out, lambda: 1.5).invocation(failed())
    (line,) = out.getvalue().splitlines()
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500Z",
        "event": "invocation",
        "invocation_id": "inv_1",
        "trace_id": "t" * 32,
        "tool": "echo",
        "revision": "r1",
        "caller": "ada",
        "token_id": "tok",
        "state": "FAILED",
        "reason": "HANDLER_CRASHED",
        "duration_ms": 12.345,
    }


def test_strangers_are_told_by_reason() -> None:
    people, machines = io.StringIO(), io.StringIO()
    HumanLines(people).strangers({Reason.TOKEN_MISSING: 3})
    JsonLines(machines).strangers({Reason.TOKEN_MISSING: 3})
    assert people.getvalue().endswith("requests without a valid token were refused  TOKEN_MISSING=3\n")
    told = json.loads(machines.getvalue())
    assert (told["event"], told["TOKEN_MISSING"]) == ("strangers", 3)


@contextmanager
def nobody_reads() -> Iterator[TextIO]:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        yield out


@contextmanager
def full_disk() -> Iterator[TextIO]:
    out = open("/dev/full", "w")  # noqa: PTH123, SIM115 - closed below: closing flushes, and that fails too
    try:
        yield out
    finally:
        with pytest.raises(OSError, match="No space left"):
            out.close()


@pytest.mark.parametrize("kind", [HumanLines, JsonLines])
@pytest.mark.parametrize("where", [nobody_reads, full_disk])
def test_a_line_that_cannot_be_written_harms_nobody(
    kind: type[HumanLines | JsonLines], where: object
) -> None:
    with where() as out:  # type: ignore[operator] # one of the two above
        lines: Lines = kind(out)
        for _ in range(3):
            lines.invocation(ended())
            lines.event("draining", "stopping", text="x" * 100_000)


def test_a_reader_that_stands_still_does_not_stop_the_server() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as out:
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        lines = HumanLines(out)
        for _ in range(100):
            lines.invocation(ended())
        os.set_blocking(reading, False)
        reader.read()
        lines.invocation(ended())
        assert reader.read().count(b"SUCCEEDED") == 1


def test_a_character_that_the_terminal_does_not_have_harms_nobody() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    HumanLines(out).invocation(ended(caller="ä"))
    HumanLines(out).invocation(ended())
    assert raw.getvalue().endswith(b"ada\n")
    say(out, "still here")


def test_what_a_library_warns_of_is_a_line_like_others() -> None:
    out = io.StringIO()
    handler = LibraryLog(JsonLines(out))
    logger = logging.getLogger("test_lines")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.info("passed over")
        raise ValueError("a\nb")
    except ValueError:
        logger.exception("it failed: %s", 5)
    finally:
        logger.removeHandler(handler)
    (line,) = out.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["logger"], told["level"]) == ("library", "test_lines", "ERROR")
    assert told["message"].startswith("it failed: 5\nTraceback")
