"""The conversations' tables: turns and shapes."""

from typing import Any

import pytest

from toolcell.wire.conversation import CELL, CONTROL, Conversation, Rules, State
from toolcell.wire.frames import Frame, ProtocolError

ERROR = {"type": "ValueError", "message": "", "stack": ""}
FAILURE = {**ERROR, "cause": "raised", "code": "", "retryable": False, "details": {}, "dropped": 0}


def frame(kind: str, **fields: Any) -> Frame:
    return Frame(kind, fields, 0)


def test_a_cell_s_whole_conversation() -> None:
    talk = Conversation(CELL)
    talk.receive(frame("ready"))
    talk.send("call")
    talk.receive(frame("log", level="info", message="m", fields={}))
    talk.receive(frame("progress", fraction=1, message=""))
    talk.receive(frame("result", value=None, dropped=0))
    assert talk.state is State.OVER


def test_a_zygote_s_whole_conversation() -> None:
    talk = Conversation(CONTROL)
    talk.send("setup")
    talk.receive(frame("started"))
    talk.send("spawn")
    talk.receive(frame("spawned", serial=1))
    talk.receive(frame("exited", serial=1, exit=0, signal=0, cpu_microseconds=1, memory_peak_bytes=1))
    assert talk.state is State.SERVING


@pytest.mark.parametrize("kind", ["threaded", "import_failed", "launch_failed"])
def test_a_zygote_that_cannot_start_says_so_and_no_more(kind: str) -> None:
    talk = Conversation(CONTROL)
    talk.send("setup")
    fields = {
        "threaded": {},
        "import_failed": {**ERROR, "where": ""},
        "launch_failed": {"step": "", "message": ""},
    }
    talk.receive(frame(kind, **fields[kind]))
    with pytest.raises(ProtocolError):
        talk.send("spawn")


MISSHAPEN = [
    frame("ready", extra=1),
    frame("import_failed", type="", message=""),
    frame("import_failed", type="", message="", stack=""),
    frame("import_failed", type="", message="", stack=None, where=""),
]
AFTER_THE_CALL = [
    frame("result", value=1),
    frame("result", dropped=0),
    frame("result", value=1, dropped=0, more=1),
    frame("result", value=1, dropped=True),
    frame("result", value=1, dropped="0"),
    frame("log", level="info", message=1, fields={}),
    frame("log", level="info", message="", fields=[]),
    frame("progress", fraction=True, message=""),
    frame("progress", fraction="1", message=""),
    frame("failure", **{**FAILURE, "retryable": 0}),
    frame("failure", **{**FAILURE, "details": None}),
]


@pytest.mark.parametrize("misshapen", MISSHAPEN)
def test_a_first_frame_of_another_shape_is_refused(misshapen: Frame) -> None:
    with pytest.raises(ProtocolError, match=misshapen.kind):
        Conversation(CELL).receive(misshapen)


@pytest.mark.parametrize("misshapen", AFTER_THE_CALL)
def test_a_later_frame_of_another_shape_is_refused(misshapen: Frame) -> None:
    talk = Conversation(CELL)
    talk.receive(frame("ready"))
    talk.send("call")
    with pytest.raises(ProtocolError, match=misshapen.kind):
        talk.receive(misshapen)


def test_an_unknown_kind_is_refused_and_not_repeated() -> None:
    with pytest.raises(ProtocolError) as caught:
        Conversation(CELL).receive(frame("s3cret"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("rules", [CELL, CONTROL])
def test_every_frame_a_table_lets_in_has_a_shape_and_is_let_in_somewhere(rules: Rules) -> None:
    received = {kind for moves in rules.moves.values() for side, kind in moves if side == "cell"}
    assert received == set(rules.shapes)


@pytest.mark.parametrize("rules", [CELL, CONTROL])
def test_every_state_a_table_leads_to_has_its_row(rules: Rules) -> None:
    reached = {state for moves in rules.moves.values() for state in moves.values()} | {rules.first}
    assert reached == set(rules.moves)
