"""The table of states: every event in every state, fence and guards; the same in SQL and the README."""

import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from toolcell.model import job as states
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.job import ENDED, FENCED, INITIAL, MOST_ATTEMPTS, STEERING, TABLE, Fence, Job, JobEvent
from toolcell.model.span import Invocation, State
from toolcell.store.migrations import MIGRATIONS
from toolcell.store.queries import STATEMENTS
from toolcell.store.rows import job_row

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000_000_000
FAILURE = Failure(Reason.TOOL_ERROR, "no", executed=Executed.YES)


def a_job(state: State = State.PENDING, **more: Any) -> Job:
    """Makes a job in a state, as a server would have left it there."""
    job = Job("job_1", "t", "ada", "tok", "tr", NOW, "{}", retry_safe=True, revision="r")
    if state in {State.RUNNING, State.SUCCEEDED, State.FAILED}:
        job = replace(
            job, attempt=1, owner="life", invocation_id="inv_1", start_time=NOW, state=State.RUNNING
        )
    if state in ENDED:
        job = replace(job, owner="", end_time=NOW + 5, state=state)
    if state in {State.FAILED, State.CANCELLED}:
        job = replace(job, failure=FAILURE)
    if state is State.CANCELLED:
        job = replace(job, cancel_request_time=NOW + 3)
    return replace(job, **more)


def cause(job: Job, event: JobEvent, by: Fence | None = None) -> Job | None:
    """Lets an event happen to a job."""
    by = by or job.fence
    ways: dict[JobEvent, Callable[[], Job | None]] = {
        JobEvent.START: lambda: states.start(job, "life", "inv_9", NOW + 9),
        JobEvent.REFUSE: lambda: states.refuse(job, FAILURE, NOW + 9),
        JobEvent.SUCCEED: lambda: states.succeed(job, by, "{}", NOW + 9),
        JobEvent.FAIL: lambda: states.fail(job, by, FAILURE, NOW + 9),
        JobEvent.REQUEUE: lambda: states.requeue(job, by, has_run=True),
        JobEvent.CANCEL: lambda: states.cancel(job, NOW + 9),
        JobEvent.STOP: lambda: states.stop(job, by, NOW + 9),
    }
    return ways[event]()


def ready_for(event: JobEvent, state: State) -> Job:
    """Makes a job that no guard but the table itself keeps from an event."""
    job = a_job(state)
    return replace(job, cancel_request_time=NOW + 3) if event is JobEvent.STOP else job


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", JobEvent)
def test_every_event_in_every_state_does_what_the_table_says(event: JobEvent, state: State) -> None:
    job = ready_for(event, state)
    after = cause(job, event)
    assert (after.state if after else None) is TABLE.get((state, event))


def test_every_state_but_the_first_is_reached_and_none_is_left_once_a_job_ended() -> None:
    assert {after for _, after in ((key, state) for key, state in TABLE.items())} | {INITIAL} == set(State)
    assert ENDED.isdisjoint(state for state, _ in TABLE)


@pytest.mark.parametrize("event", sorted(FENCED))
@pytest.mark.parametrize("by", [Fence(2, "life"), Fence(1, "another"), Fence(0, "")])
def test_another_attempt_changes_nothing(event: JobEvent, by: Fence) -> None:
    job = ready_for(event, State.RUNNING)
    assert cause(job, event) is not None
    assert cause(job, event, by) is None


def test_an_attempt_counts_and_names_its_owner() -> None:
    job = states.start(a_job(attempt=2), "life", "inv_3", NOW + 1)
    assert job is not None
    assert (job.fence, job.invocation_id, job.start_time) == (Fence(3, "life"), "inv_3", NOW + 1)


@pytest.mark.parametrize(
    ("changes", "has_run", "may"),
    [
        ({}, True, True),
        ({"retry_safe": False}, True, False),
        ({"retry_safe": False}, False, True),
        ({"attempt": MOST_ATTEMPTS - 1}, True, True),
        ({"attempt": MOST_ATTEMPTS}, True, False),
        ({"attempt": MOST_ATTEMPTS}, False, False),
        ({"cancel_request_time": NOW}, True, False),
    ],
)
def test_what_may_be_put_back_in_line(changes: dict[str, Any], has_run: bool, may: bool) -> None:
    job = a_job(State.RUNNING, **changes)
    after = states.requeue(job, job.fence, has_run=has_run)
    assert (after is not None) is may
    assert after is None or (after.state, after.owner, after.attempt) == (State.PENDING, "", job.attempt)


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({}, State.PENDING, None),
        ({"attempt": MOST_ATTEMPTS}, State.FAILED, Reason.NODE_LOST),
        ({"retry_safe": False}, State.FAILED, Reason.OUTCOME_UNKNOWN),
        ({"cancel_request_time": NOW}, State.CANCELLED, Reason.CANCELLED),
        ({"retry_safe": False, "cancel_request_time": NOW}, State.CANCELLED, Reason.CANCELLED),
    ],
)
def test_what_becomes_of_a_job_whose_attempt_was_lost(
    changes: dict[str, Any], state: State, reason: Reason | None
) -> None:
    job = a_job(State.RUNNING, **changes)
    after = states.lose(job, job.fence, NOW + 7)
    assert after is not None
    assert (after.state, after.failure and after.failure.reason) == (state, reason)
    assert states.lose(job, Fence(9, "x"), NOW + 7) is None


def recorded(state: State, **more: Any) -> Invocation:
    return Invocation("inv_1", "tr", "sp", state=state, end_time=NOW + 4, output_json='{"a":1}', **more)


def test_an_answer_that_a_dead_server_recorded_is_the_job_s() -> None:
    job = a_job(State.RUNNING, retry_safe=False)
    after = states.recover(job, recorded(State.SUCCEEDED), NOW + 99)
    assert after is not None
    assert (after.state, after.output_json, after.end_time) == (State.SUCCEEDED, '{"a":1}', NOW + 4)
    after = states.recover(job, recorded(State.FAILED, failure=FAILURE), NOW + 99)
    assert after is not None
    assert (after.state, after.failure) == (State.FAILED, FAILURE)


@pytest.mark.parametrize(
    "record",
    [
        None,
        recorded(State.FAILED, failure=FAILURE, interrupted=True),
        recorded(State.CANCELLED, failure=FAILURE),
        recorded(State.RUNNING),
    ],
)
def test_without_an_answer_the_attempt_was_lost(record: Invocation | None) -> None:
    for safe in (True, False):
        job = a_job(State.RUNNING, retry_safe=safe)
        assert states.recover(job, record, NOW + 9) == states.lose(job, job.fence, NOW + 9)


def test_a_job_cancelled_before_it_ran_says_that_nothing_ran() -> None:
    never, once = states.cancel(a_job(), NOW + 1), states.cancel(a_job(attempt=1, start_time=NOW), NOW + 1)
    assert never is not None
    assert once is not None
    assert never.failure is not None
    assert once.failure is not None
    assert (never.failure.executed, once.failure.executed) == (Executed.NO, Executed.MAYBE)


def test_a_clock_that_was_set_back_ends_no_job_before_it_was_made() -> None:
    after = states.cancel(a_job(), NOW - 1_000_000)
    assert after is not None
    assert (after.end_time, after.cancel_request_time) == (NOW, NOW)


# ── the same in other words ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    MIGRATIONS.apply(sqlite_utils.Database(made))
    return made


def keep(connection: sqlite3.Connection, job: Job) -> None:
    row = job_row(job)
    connection.execute("DELETE FROM job")
    connection.execute(STATEMENTS["add_job"], row)


def test_the_database_knows_the_same_states(connection: sqlite3.Connection) -> None:
    for state in State:
        keep(connection, a_job(state))
    ((schema,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'job'")
    assert set(re.findall(r"'([A-Z]+)'", schema)) == set(State)
    keep(connection, a_job())
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute("UPDATE job SET state = 'DONE'")


@pytest.mark.parametrize(
    "broken",
    [
        a_job(State.RUNNING, owner=""),
        a_job(State.RUNNING, attempt=0, start_time=0),
        a_job(State.PENDING, owner="life"),
        a_job(State.PENDING, end_time=NOW),
        a_job(State.SUCCEEDED, end_time=0),
        a_job(State.SUCCEEDED, failure=FAILURE),
        a_job(State.FAILED, failure=None),
        a_job(State.CANCELLED, cancel_request_time=0),
        a_job(State.PENDING, start_time=NOW),
    ],
)
def test_the_database_takes_no_row_that_cannot_be(connection: sqlite3.Connection, broken: Job) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        keep(connection, broken)


def test_the_database_changes_no_row_that_ended(connection: sqlite3.Connection) -> None:
    for state in ENDED:
        keep(connection, a_job(state))
        with pytest.raises(sqlite3.IntegrityError, match="does not change"):
            connection.execute("UPDATE job SET output_json = 'x'")


def test_what_steers_is_what_the_database_compares() -> None:
    text = (ROOT / "server/toolcell/store/queries.sql").read_text()
    compared = re.findall(r"(\w+) = :was_(\w+)", text)
    assert [name for name, _ in compared] == [name for _, name in compared] == list(STEERING)


def test_the_diagram_in_the_readme_is_the_table() -> None:
    text = (ROOT / "server/README.md").read_text()
    diagram = re.findall(r"^    (\S+) --> (\S+?)(?:: (.+))?$", text, re.MULTILINE)
    drawn = {(a, event, b) for a, b, events in diagram for event in (events or "").split(", ") if event}
    table = {(state.value, event.value, after.value) for (state, event), after in TABLE.items()}
    assert drawn == table
    starts = {(a, b) for a, b, events in diagram if not events}
    assert starts == {("[*]", INITIAL.value), *((state.value, "[*]") for state in ENDED)}
