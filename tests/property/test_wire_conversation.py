"""Of all sequences of frames a conversation accepts exactly the legal ones, and a refusal changes nothing."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcell.wire.conversation import CELL, CONTROL, Conversation, Rules
from toolcell.wire.frames import Frame, ProtocolError

ERROR = {"type": "", "message": "", "stack": ""}
FIELDS: dict[str, dict[str, Any]] = {
    "ready": {},
    "started": {},
    "threaded": {},
    "import_failed": {**ERROR, "where": ""},
    "launch_failed": {"step": "", "message": ""},
    "spawned": {"serial": 1},
    "not_spawned": {"serial": 1, "message": ""},
    "exited": {"serial": 1, "exit": 0, "signal": 0, "cpu_microseconds": 1, "memory_peak_bytes": 1},
    "log": {"level": "", "message": "", "fields": {}},
    "progress": {"fraction": 0.5, "message": ""},
    "result": {"value": None, "dropped": 0},
    "failure": {**ERROR, "cause": "", "code": "", "retryable": True, "details": {}, "dropped": 0},
}
SENT = ("setup", "spawn", "call")

#: What is legal, said another way: each kind is a word, and what was said so far begins one of these.
GRAMMARS = {
    "cell": (CELL, r"(import_failed |ready (call ((log |progress )*((result |failure ))?)?)?)?"),
    "control": (
        CONTROL,
        r"(setup (import_failed |launch_failed |threaded |started ((not_)?spawned |spawn |exited )*)?)?",
    ),
}


@pytest.mark.parametrize("name", GRAMMARS)
@given(words=st.lists(st.sampled_from((*FIELDS, *SENT)), max_size=8))
def test_exactly_the_legal_sequences_are_accepted(name: str, words: list[str]) -> None:
    rules, grammar = GRAMMARS[name]
    assert play(rules, words) == legal_beginning(grammar, words)


def play(rules: Rules, words: list[str]) -> int:
    """Returns how many frames are accepted before the first that is not."""
    talk = Conversation(rules)
    for count, word in enumerate(words):
        before = talk.state
        try:
            talk.send(word) if word in SENT else talk.receive(Frame(word, dict(FIELDS[word]), 0))
        except ProtocolError:
            assert talk.state is before
            return count
    return len(words)


def legal_beginning(grammar: str, words: list[str]) -> int:
    count = 0
    while count < len(words) and re.fullmatch(grammar, " ".join(words[: count + 1]) + " "):
        count += 1
    return count
