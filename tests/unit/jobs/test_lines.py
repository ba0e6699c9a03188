"""Lines are in order, bounded for each tool and each caller, and forget nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcell.jobs.lines import Lines
from toolcell.model.errors import QueueFull
from toolcell.store.interface import Waiting


def put(lines: Lines, job_id: str, tool: str = "t", caller: str = "ada") -> None:
    lines.reserve(tool, caller)
    lines.put(Waiting(job_id, tool, caller))


def drain(lines: Lines, tool: str = "t") -> list[str]:
    found = []
    while waiting := lines.take(tool):
        found.append(waiting.job_id)
    return found


def test_who_came_first_goes_first_and_who_is_put_back_before_them() -> None:
    lines = Lines()
    for job_id in "abc":
        put(lines, job_id)
    first = lines.take("t")
    assert first is not None
    put(lines, "d")
    lines.put_back(first)
    assert drain(lines) == list("abcd")
    assert not lines.has("t")
    assert lines.take("t") is None


@pytest.mark.parametrize(
    ("tool", "caller", "scope"), [("t", "bob", "of 't'"), ("u", "ada", "of this caller")]
)
def test_a_tool_and_a_caller_have_so_many_places(tool: str, caller: str, scope: str) -> None:
    lines = Lines(2)
    put(lines, "a")
    lines.reserve("t", "ada")
    with pytest.raises(QueueFull, match=scope) as full:
        lines.reserve(tool, caller, pace=7.0)
    assert (full.value.retry_after, full.value.metadata["limit"]) == (7.0, "2")
    lines.free("t", "ada")
    put(lines, "b", tool, caller)


def test_what_was_there_before_has_its_place_also_in_a_full_line() -> None:
    lines = Lines(1)
    put(lines, "b")
    lines.put_back(Waiting("a", "t", "ada"))
    assert lines.count("t") == 2
    assert drain(lines) == ["a", "b"]


EVENTS = st.sampled_from(["put", "take", "remove", "back"])


@given(st.lists(st.tuples(EVENTS, st.integers(0, 5)), max_size=60))
def test_places_are_counted_right_whatever_happens(events: list[tuple[str, int]]) -> None:
    lines, there, out, made = Lines(1000), list[str](), list[Waiting](), 0
    for event, number in events:
        if event == "put":
            made += 1
            put(lines, f"job_{made}")
            there.append(f"job_{made}")
        elif event == "take" and (waiting := lines.take("t")):
            assert waiting.job_id == there.pop(0)
            out.append(waiting)
        elif event == "remove" and there:
            job_id = there.pop(number % len(there))
            lines.remove("t", job_id)
            lines.remove("t", job_id)
        elif event == "back" and out:
            waiting = out.pop()
            lines.put_back(waiting)
            there.insert(0, waiting.job_id)
        assert lines.count("t") == len(there)
        assert list(lines.tools()) == (["t"] if there else [])
    assert drain(lines) == there
    assert lines.count("t") == 0
