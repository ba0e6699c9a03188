"""Jobs start, wait, run, end and survive as model/job says; the cells answer when the test says so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.jobs.works import SAFE, UNSAFE, Works, again, works
from toolcell.jobs import engine as room
from toolcell.jobs.lines import Lines
from toolcell.model.errors import (
    Executed,
    HandlerCrashed,
    InputInvalid,
    QueueFull,
    Reason,
    RpcForbidden,
    ServerDraining,
    ServerOverloaded,
    StoreFull,
    ToolDeclaredError,
)
from toolcell.model.job import MOST_ATTEMPTS, Job
from toolcell.model.span import EventKind, State
from toolcell.store.interface import JobFilter, TraceFilter


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once what failed for a reason of ours."""
    monkeypatch.setattr(room, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Works]:
    async with works(tmp_path) as made:
        yield made


# ── starting ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_with_a_free_slot_is_running_on_disk_before_it_is_answered(life: Works) -> None:
    job = await life.start("1", labels={"a": "b"}, tool_call_id="call_1")
    assert (job.state, job.attempt, job.labels, job.caller) == (State.RUNNING, 1, {"a": "b"}, "ada")
    assert await life.row(job) == job
    await life.cells.has("1")
    life.cells.answer("1", {"ok": True})
    ended = await life.end(job)
    assert (ended.state, ended.output_json, ended.failure) == (State.SUCCEEDED, '{"ok": true}', None)
    assert ended.create_time <= ended.start_time <= ended.end_time


async def test_the_attempt_is_an_invocation_of_the_job_s_trace(life: Works) -> None:
    job = await life.start("1", labels={"a": "b"}, tool_call_id="call_1")
    await life.cells.has("1")
    life.cells.answer("1", {})
    await life.end(job)
    (record,) = await life.store.traces.page(TraceFilter(job_id=job.job_id), "", 10)
    assert (record.invocation_id, record.trace_id) == (job.invocation_id, job.trace_id)
    assert (record.state, record.attempt, record.labels) == (State.SUCCEEDED, 1, {"a": "b"})
    assert (life.cells.requests[0].invocation_id, life.cells.requests[0].attempt) == (job.invocation_id, 1)


async def test_jobs_beyond_the_slots_wait_on_disk_and_run_in_the_order_they_came(life: Works) -> None:
    jobs = [await life.start(number) for number in "12345"]
    assert [job.state for job in jobs] == [State.RUNNING] * 2 + [State.PENDING] * 3
    assert [(await life.row(job)).state for job in jobs] == [job.state for job in jobs]
    for number in "12345":
        await life.cells.has(number)
        assert len(life.cells.running) <= 2
        life.cells.answer(number, {})
        await life.end(jobs[int(number) - 1])
    assert life.cells.order == list("12345")


async def test_calls_and_jobs_share_the_slots(life: Works) -> None:
    assert life.corridor.slots.take(SAFE)
    assert life.corridor.slots.take(SAFE)
    job = await life.start("1")
    assert job.state is State.PENDING
    life.corridor.slots.release(SAFE, 0.1)
    await life.cells.has("1")
    assert not life.corridor.slots.take(SAFE)


async def test_what_the_chain_refuses_is_no_job(life: Works) -> None:
    with pytest.raises(InputInvalid):
        await life.start("", arguments={"bad": 1})
    for groups in (("invoke",), ("jobs",)):
        with pytest.raises(RpcForbidden):
            await life.start("1", bearer=await life.token(*groups))
    assert await life.store.jobs.page(JobFilter(), "", 10) == []
    (refused, *_) = await life.store.traces.page(TraceFilter(caller="ada"), "", 10)
    assert refused.failure is not None
    assert refused.failure.executed is Executed.NO


async def test_a_full_line_refuses_with_a_reason_and_takes_the_next_when_there_is_room(life: Works) -> None:
    life.engine._lines = Lines(2)
    jobs = [await life.start(number) for number in "1234"]
    with pytest.raises(QueueFull) as refused:
        await life.start("5")
    assert (refused.value.metadata["limit"], refused.value.code) == ("2", "RESOURCE_EXHAUSTED")
    assert refused.value.retry_after
    assert len(await life.store.jobs.page(JobFilter(), "", 10)) == 4
    await life.engine.cancel(jobs[3])
    assert (await life.start("6")).state is State.PENDING


async def test_a_store_that_is_full_refuses_and_gives_the_slot_back(
    life: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(job: Job) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as broken:
        broken.setattr(life.store.jobs, "add", full)
        for _ in range(5):
            with pytest.raises(StoreFull):
                await life.start("0")
    assert [(await life.start(number)).state for number in "12"] == [State.RUNNING] * 2


async def test_a_caller_that_goes_away_has_started_a_job_all_the_same(life: Works) -> None:
    starting = asyncio.ensure_future(life.start("1"))
    while not life.engine._tasks:
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await life.cells.has("1")
    assert await life.store.traces.page(TraceFilter(state=State.CANCELLED), "", 1) == []


# ── ending ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tool", ["safe", "unsafe"])
async def test_a_handler_that_fails_is_not_run_again(life: Works, tool: str) -> None:
    for number, fault in (("1", HandlerCrashed(tool=tool)), ("2", ToolDeclaredError("no such customer", tool="t"))):
        job = await life.start(number, tool)
        await life.cells.has(number)
        life.cells.answer(number, fault)
        ended = await life.end(job)
        assert ended.failure is not None
        assert (ended.state, ended.failure.reason, ended.attempt) == (State.FAILED, fault.reason, 1)


async def test_a_result_is_written_as_soon_as_the_store_takes_it(
    life: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await life.start("1", "unsafe")
    await life.cells.has("1")
    tried, change = asyncio.Event(), life.store.jobs.change

    async def full(was: Job, after: Job) -> bool:
        tried.set()
        raise StoreFull("no room")

    monkeypatch.setattr(life.store.jobs, "change", full)
    life.cells.answer("1", {"sent": 1})
    await tried.wait()
    assert (await life.row(job)).state is State.RUNNING
    monkeypatch.setattr(life.store.jobs, "change", change)
    assert (await life.end(job)).output_json == '{"sent": 1}'
    assert any("cannot be written yet" in line for line in life.log)


async def test_an_overloaded_server_tries_again_and_gives_up_after_four_attempts(life: Works) -> None:
    life.cells.refusals = [ServerOverloaded("busy")]
    job = await life.start("1", "unsafe")  # nothing ran, so it may be tried again
    await life.cells.has("1")
    assert life.cells.requests[0].attempt == 2
    life.cells.answer("1", {})
    assert (await life.end(job)).attempt == 2
    life.cells.refusals = [ServerOverloaded("busy") for _ in range(MOST_ATTEMPTS)]
    ended = await life.end(await life.start("2"))
    assert ended.failure is not None
    assert (ended.failure.reason, ended.failure.executed) == (Reason.SERVER_OVERLOADED, Executed.NO)
    assert ended.attempt == MOST_ATTEMPTS


async def test_a_start_that_cannot_be_written_is_tried_again(
    life: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await life.start(number) for number in "123"]
    tried, change = asyncio.Event(), life.store.jobs.change

    async def full(was: Job, after: Job) -> bool:
        if after.state is State.RUNNING:
            tried.set()
            raise StoreFull("no room")
        return await change(was, after)

    monkeypatch.setattr(life.store.jobs, "change", full)
    life.cells.answer("1", {})
    await tried.wait()
    assert "3" not in life.cells.order
    monkeypatch.setattr(life.store.jobs, "change", change)
    await life.cells.has("3")
    assert (await life.row(jobs[2])).state is State.RUNNING


# ── what is checked again before an attempt ─────────────────────────────────────────────────────────────────


async def pending(life: Works, bearer: str = "", **more: object) -> Job:
    """Starts a job that has to wait."""
    for number in "12":
        await life.start(number)
    job = await life.start("3", bearer=bearer, **more)
    assert job.state is State.PENDING
    return job


async def refused(life: Works, job: Job) -> Reason:
    """Lets a job that waits have its turn, which it must not survive; nothing may run."""
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert (ended.state, ended.failure.executed, ended.attempt) == (State.FAILED, Executed.NO, 0)
    assert "3" not in life.cells.order
    assert await life.start("4")  # the slot came back
    await life.cells.has("4")
    return ended.failure.reason


async def test_a_token_that_was_revoked_starts_nothing(life: Works) -> None:
    bearer = await life.token("invoke", "jobs", caller="bob")
    job = await pending(life, bearer)
    await life.tokens.revoke(job.token_id)
    assert await refused(life, job) is Reason.TOKEN_REVOKED
    (record,) = await life.store.traces.page(TraceFilter(job_id=job.job_id), "", 10)
    assert (record.state, record.caller) == (State.FAILED, "bob")


async def test_arguments_are_held_against_the_contract_of_the_day(life: Works) -> None:
    job = await pending(life)
    entry = life.catalog.snapshot.entries["safe"]

    def stricter(_: str) -> str:
        raise InputInvalid(tool="safe")

    entry.contract.decode = stricter
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert ended.failure.reason is Reason.INPUT_INVALID


async def test_a_tool_that_is_gone_starts_nothing(life: Works) -> None:
    job = await pending(life)
    life.serve(UNSAFE)
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert (ended.failure.reason, ended.attempt) == (Reason.TOOL_NOT_FOUND, 0)


async def test_an_attempt_runs_the_revision_of_the_day(life: Works) -> None:
    job = await pending(life)
    life.serve(again(SAFE, revision="r2"), UNSAFE)
    life.cells.answer("1", {})
    await life.cells.has("3")
    assert (job.revision, (await life.row(job)).revision) == ("r1", "r2")


# ── cancelling ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_that_waits_is_cancelled_at_once(life: Works) -> None:
    job = await pending(life)
    ended = await life.engine.cancel(job)
    assert ended.failure is not None
    assert (ended.state, ended.failure.executed) == (State.CANCELLED, Executed.NO)
    assert await life.row(job) == ended
    life.cells.answer("1", {})
    await life.start("4")
    await life.cells.has("4")
    assert "3" not in life.cells.order


async def test_a_job_that_runs_is_cancelled_when_its_handler_is_dead(life: Works) -> None:
    life.cells.deaf = True
    job = await life.start("1", "unsafe")
    await life.cells.has("1")
    asked = await life.engine.cancel(job)
    assert (asked.state, asked.cancel_request_time > 0) == (State.RUNNING, True)
    assert await life.row(job) == asked
    assert await life.engine.cancel(asked) == asked
    life.cells.deaf = False
    life.cells.stop(job.invocation_id)
    ended = await life.end(job)
    assert ended.failure is not None
    assert (ended.state, ended.failure.reason) == (State.CANCELLED, Reason.CANCELLED)
    found = await life.store.traces.get(job.invocation_id)
    assert found is not None
    assert found[0].state is State.CANCELLED


@pytest.mark.parametrize("answer", [{"sent": 1}, ToolDeclaredError("no such customer", tool="t")])
async def test_an_answer_that_comes_first_wins(life: Works, answer: object) -> None:
    life.cells.deaf = True
    job = await life.start("1", "unsafe")
    await life.cells.has("1")
    await life.engine.cancel(job)
    life.cells.answer("1", answer)
    ended = await life.end(job)
    assert ended.state is (State.SUCCEEDED if isinstance(answer, dict) else State.FAILED)
    assert ended.cancel_request_time
    assert await life.engine.cancel(ended) == ended


async def test_a_job_is_cancelled_in_the_moment_it_starts(life: Works) -> None:
    starting = asyncio.ensure_future(life.start("1"))
    while not (found := await life.store.jobs.page(JobFilter(), "", 1)):
        await asyncio.sleep(0)
    await life.engine.cancel(found[0])
    await starting
    assert (await life.end(found[0])).state is State.CANCELLED


async def test_cancelling_many_leaves_every_slot_free(life: Works) -> None:
    jobs = [await life.start(str(number)) for number in range(30)]
    await asyncio.gather(*(life.engine.cancel(job) for job in jobs))
    assert {(await life.end(job)).state for job in jobs} == {State.CANCELLED}
    assert [(await life.start(number)).state for number in ("a", "b", "c")] == [
        State.RUNNING,
        State.RUNNING,
        State.PENDING,
    ]


# ── the end of a server and the next one ────────────────────────────────────────────────────────────────────


async def test_a_draining_server_stops_what_may_run_again_and_waits_for_the_rest(tmp_path: Path) -> None:
    async with works(tmp_path) as life:
        safe, unsafe, waits = [await life.start(*given) for given in (("1",), ("2", "unsafe"), ("3",))]
        await life.cells.has("1", "2", "3")
        fourth = await life.start("4")
        draining = asyncio.ensure_future(life.engine.drain(30))
        while len(life.cells.running) > 1:
            await asyncio.sleep(0)
        assert set(life.cells.running) == {"2"}
        with pytest.raises(ServerDraining):
            await life.start("5")
        life.cells.answer("2", {"done": 1})
        await draining
        assert [(await life.row(job)).state for job in (safe, unsafe, waits, fourth)] == [
            State.PENDING,
            State.SUCCEEDED,
            State.PENDING,
            State.PENDING,
        ]
        assert "4" not in life.cells.order
    async with works(tmp_path) as life:
        await life.cells.has("1", "3")
        assert [request.attempt for request in life.cells.requests] == [2, 2]
        life.cells.answer("1", {})
        await life.cells.has("4")
        assert (await life.end(safe)).attempt == 2


async def test_after_the_grace_nobody_knows_what_an_unsafe_tool_did(tmp_path: Path) -> None:
    async with works(tmp_path) as life:
        job = await life.start("1", "unsafe")
        await life.cells.has("1")
        await life.engine.drain(0)
        ended = await life.row(job)
        assert ended.failure is not None
        assert (ended.state, ended.failure.reason) == (State.FAILED, Reason.OUTCOME_UNKNOWN)


async def test_a_job_that_was_to_be_cancelled_is_cancelled_by_the_next_server(tmp_path: Path) -> None:
    async with works(tmp_path) as life:
        job = await life.start("1")
        await life.cells.has("1")
        life.cells.deaf = True
        asked = await life.engine.cancel(job)
        life.engine._tasks.clear()  # this server dies and writes no more
    async with works(tmp_path) as life:
        ended = await life.row(asked)
        assert (ended.state, ended.cancel_request_time) == (State.CANCELLED, asked.cancel_request_time)


async def test_an_answer_that_was_recorded_is_not_lost_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with works(tmp_path) as life:
        jobs = [await life.start("1", "unsafe"), await life.start("2", "unsafe")]
        await life.cells.has("1", "2")
        tried = asyncio.Event()

        async def full(was: Job, after: Job) -> bool:
            tried.set()
            raise StoreFull("no room")

        monkeypatch.setattr(life.store.jobs, "change", full)
        life.cells.answer("1", {"sent": 1})
        await tried.wait()
        for task in (*life.engine._tasks, *(attempt.walk for attempt in life.engine._attempts.values())):
            assert task is not None
            task.cancel()  # this server dies and writes no more
    async with works(tmp_path) as life:
        one, two = [await life.row(job) for job in jobs]
        assert (one.state, one.output_json) == (State.SUCCEEDED, '{"sent": 1}')
        assert two.failure is not None
        assert two.failure.reason is Reason.OUTCOME_UNKNOWN


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_progress_is_what_the_handler_said_last(life: Works) -> None:
    job = await life.start("1")
    await life.cells.has("1")
    assert life.ledger.progress(job) == {}
    life.cells.said["1"](EventKind.PROGRESS, {"fraction": 0.5, "message": "half"})
    assert life.ledger.progress(job) == {"fraction": 0.5, "message": "half"}
    life.cells.answer("1", {})
    assert life.ledger.progress(await life.end(job)) == {}
