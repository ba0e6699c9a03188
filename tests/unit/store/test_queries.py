"""Every statement has one name, is right, and is used."""

import re
import sqlite3
from pathlib import Path

import pytest
import sqlite_utils

import toolcell.store
from toolcell.model.span import State
from toolcell.store import jobs
from toolcell.store.happenings import EventFilter
from toolcell.store.history import select as select_events
from toolcell.store.interface import JobFilter, TraceFilter
from toolcell.store.migrations import MIGRATIONS
from toolcell.store.queries import STATEMENTS, parse
from toolcell.store.traces import SELECTION

ROOM = Path(toolcell.store.__file__).parent
BARE = {"joins": "", "conditions": "1 = 1", "columns": "*", "tables": "event CROSS JOIN invocation"}
CURSORS = {"page_invocations": "invocation.invocation_id", "page_jobs": "job.job_id"}


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
    explain(connection, STATEMENTS[name].format(**BARE, cursor=CURSORS.get(name)))


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
        (TraceFilter(job_id="x"), "invocation_by_job"),
        (TraceFilter(labels={"x": "y"}), "label_by_value"),
        (TraceFilter(labels={"x": "y", "z": "y"}), "label_by_value"),
    ],
)
@pytest.mark.parametrize("before", ["", "inv_x"])
def test_a_page_walks_an_index_and_sorts_nothing(
    connection: sqlite3.Connection, chosen: TraceFilter, index: str, before: str
) -> None:
    _, parts = SELECTION.of(chosen, before)
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
        (EventFilter(job_id="x"), "invocation_by_job"),
    ],
)
def test_the_stream_walks_its_events_or_those_of_a_few_invocations(
    connection: sqlite3.Connection, chosen: EventFilter, first: str
) -> None:
    _, parts = select_events(chosen)
    plan = explain(connection, STATEMENTS["stream_events"].format(**parts))
    assert first in plan[0]
    assert not any(step.startswith("SCAN") for step in plan)


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        (JobFilter(), "sqlite_autoindex_job_1"),
        (JobFilter(caller="x"), "job_by_caller"),
        (JobFilter(tool="x"), "job_by_tool"),
        (JobFilter(tool_call_id="x"), "job_by_tool_call"),
        (JobFilter(state=State.FAILED), "job_by_state"),
        (JobFilter(labels={"x": "y"}), "job_label_by_value"),
    ],
)
@pytest.mark.parametrize("before", ["", "job_x"])
def test_a_page_of_jobs_walks_an_index_and_sorts_nothing(
    connection: sqlite3.Connection, chosen: JobFilter, index: str, before: str
) -> None:
    _, parts = jobs.SELECTION.of(chosen, before)
    plan = explain(
        connection, STATEMENTS["page_jobs"].format(**parts, columns="job.job_id, job.tool, job.state")
    )
    assert index in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize("name", ["waiting_jobs", "running_jobs"])
def test_the_start_of_a_server_reads_unfinished_jobs_only(connection: sqlite3.Connection, name: str) -> None:
    plan = explain(connection, STATEMENTS[name].format(columns="*"))
    assert ["job_by_state" in step for step in plan] == [True]
