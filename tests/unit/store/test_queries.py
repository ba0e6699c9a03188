"""Every statement has one name, is right, and is used."""

import re
import sqlite3
from pathlib import Path

import pytest
import sqlite_utils

import toolcell.store
from toolcell.model.span import State
from toolcell.store.history import select as select_events
from toolcell.store.interface import EventFilter, TraceFilter
from toolcell.store.migrations import MIGRATIONS
from toolcell.store.queries import STATEMENTS, parse
from toolcell.store.traces import select

ROOM = Path(toolcell.store.__file__).parent
BARE = {
    "joins": "",
    "conditions": "1 = 1",
    "cursor": "invocation.invocation_id",
    "tables": "event CROSS JOIN invocation",
}


@pytest.fixture(scope="module")
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    MIGRATIONS.apply(sqlite_utils.Database(made))
    return made


def explain(connection: sqlite3.Connection, text: str) -> list[str]:
    values = dict.fromkeys(re.findall(r":(\w+)", text), "1")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]


def test_a_file_is_split_at_its_names_and_comments_are_dropped() -> None:
    text = "-- head\n\n-- name: one\n-- why\nSELECT 1\n\n-- ── part ──\n\n-- name: two\nSELECT\n  2\n"
    assert parse(text) == {"one": "SELECT 1", "two": "SELECT\n  2"}


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="names one twice"):
        parse("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_understood(connection: sqlite3.Connection, name: str) -> None:
    explain(connection, STATEMENTS[name].format(**BARE))


def test_every_statement_is_used() -> None:
    code = "".join(path.read_text() for path in ROOM.glob("*.py"))
    assert {name for name in STATEMENTS if f'"{name}"' not in code} == set()


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (TraceFilter(), "sqlite_autoindex_invocation_1"),
        (TraceFilter(caller="x"), "invocation_by_caller"),
        (TraceFilter(tool="x"), "invocation_by_tool"),
        (TraceFilter(state=State.RUNNING), "invocation_by_state"),
        (TraceFilter(trace_id="x"), "invocation_by_trace"),
        (TraceFilter(tool_call_id="x"), "invocation_by_tool_call"),
        (TraceFilter(labels={"x": "y"}), "label_by_value"),
        (TraceFilter(labels={"x": "y", "z": "y"}), "label_by_value"),
    ],
)
@pytest.mark.parametrize("before", ["", "inv_x"])
def test_a_page_walks_an_index_and_sorts_nothing(
    connection: sqlite3.Connection, chosen: TraceFilter, index: str, before: str
) -> None:
    _, parts = select(chosen, before)
    plan = explain(connection, STATEMENTS["page_invocations"].format(**parts))
    assert index in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    ("chosen", "first"),
    [
        (EventFilter(), "SEARCH event USING INTEGER PRIMARY KEY"),
        (EventFilter(tool="x", caller="y", only_failed=True), "SEARCH event USING INTEGER PRIMARY KEY"),
        (EventFilter(labels={"x": "y"}), "SEARCH event USING INTEGER PRIMARY KEY"),
        (EventFilter(invocation_id="x"), "sqlite_autoindex_invocation_1"),
        (EventFilter(trace_id="x", caller="y"), "invocation_by_trace"),
        (EventFilter(tool_call_id="x"), "invocation_by_tool_call"),
    ],
)
def test_the_stream_walks_its_events_or_those_of_a_few_invocations(
    connection: sqlite3.Connection, chosen: EventFilter, first: str
) -> None:
    _, parts = select_events(chosen)
    plan = explain(connection, STATEMENTS["stream_events"].format(**parts))
    assert first in plan[0]
    assert not any(step.startswith("SCAN") for step in plan)
