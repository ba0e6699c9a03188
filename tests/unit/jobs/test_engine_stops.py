"""Jobs are cancelled, outlive their server, and are lost by none."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.jobs.works import Works, until, works
from toolcell.model.errors import Executed, Reason, ServerDraining, StoreFull, ToolDeclaredError
from toolcell.model.job import Job
from toolcell.model.span import EventKind, State

# ── cancelling ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_that_waits_is_cancelled_at_once(life: Works) -> None:
    job = await life.pending()
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


async def test_a_job_is_cancelled_in_the_moment_it_starts(
    life: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, added = life.store.jobs.add, list[Job]()

    async def cancel_first(job: Job) -> None:
        await add(job)
        added.append(await life.engine.cancel(job))  # before the attempt has begun

    monkeypatch.setattr(life.store.jobs, "add", cancel_first)
    job = await life.start("1")
    assert added[0].cancel_request_time
    assert (await life.end(job)).state is State.CANCELLED
    assert life.cells.order == []


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
        await until(lambda: len(life.cells.running) == 1)
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
