"""Jobs start, wait for a slot, run and end; the cells answer when the test says so."""

import asyncio

import pytest

from tests.unit.jobs.works import SAFE, UNSAFE, Works, again, until
from toolcell.jobs.lines import Lines
from toolcell.model.errors import (
    Executed,
    HandlerCrashed,
    InputInvalid,
    QueueFull,
    Reason,
    RpcForbidden,
    ServerOverloaded,
    StoreFull,
    ToolDeclaredError,
)
from toolcell.model.job import MOST_ATTEMPTS, Job
from toolcell.model.span import State
from toolcell.store.interface import JobFilter, TraceFilter

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


async def test_a_full_line_refuses_and_takes_the_next_when_there_is_room(life: Works) -> None:
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
    await until(lambda: bool(life.engine._tasks))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await life.cells.has("1")
    assert await life.store.traces.page(TraceFilter(state=State.CANCELLED), "", 1) == []


# ── ending ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tool", ["safe", "unsafe"])
async def test_a_handler_that_fails_is_not_run_again(life: Works, tool: str) -> None:
    for number, fault in (
        ("1", HandlerCrashed(tool=tool)),
        ("2", ToolDeclaredError("no such customer", tool="t")),
    ):
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


async def refused(life: Works, job: Job) -> Reason:
    """Lets a job that waits have its turn, which it must not survive; nothing may run."""
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert (ended.state, ended.failure.executed, ended.attempt) == (State.FAILED, Executed.NO, 0)
    assert "3" not in life.cells.order
    await life.start("4")  # the slot came back
    await life.cells.has("4")
    return ended.failure.reason


async def test_a_token_that_was_revoked_starts_nothing(life: Works) -> None:
    bearer = await life.token("invoke", "jobs", caller="bob")
    job = await life.pending(bearer)
    await life.tokens.revoke(job.token_id)
    assert await refused(life, job) is Reason.TOKEN_REVOKED
    (record,) = await life.store.traces.page(TraceFilter(job_id=job.job_id), "", 10)
    assert (record.state, record.caller) == (State.FAILED, "bob")


async def test_arguments_are_held_against_the_contract_of_the_day(life: Works) -> None:
    job = await life.pending()
    entry = life.catalog.snapshot.entries["safe"]

    def stricter(_: str) -> str:
        raise InputInvalid(tool="safe")

    entry.contract.decode = stricter
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert ended.failure.reason is Reason.INPUT_INVALID


async def test_a_tool_that_is_gone_starts_nothing(life: Works) -> None:
    job = await life.pending()
    life.serve(UNSAFE)
    life.cells.answer("1", {})
    ended = await life.end(job)
    assert ended.failure is not None
    assert (ended.failure.reason, ended.attempt) == (Reason.TOOL_NOT_FOUND, 0)


async def test_an_attempt_runs_the_revision_of_the_day(life: Works) -> None:
    job = await life.pending()
    life.serve(again(SAFE, revision="r2"), UNSAFE)
    life.cells.answer("1", {})
    await life.cells.has("3")
    assert (job.revision, (await life.row(job)).revision) == ("r1", "r2")
