"""Who waits for a job hears of its end at once; so many may wait, and nobody outlasts the server."""

import asyncio

import pytest

from tests.unit.jobs.works import Works, until
from toolcell.jobs.waits import Waits
from toolcell.model.caller import GROUPS, Caller, Grants
from toolcell.model.errors import JobNotFound, RpcForbidden, ServerOverloaded
from toolcell.model.span import State
from toolcell.store.interface import JobFilter

ADA = Caller("ada", "t1", Grants(frozenset({"invoke", "jobs"})))
BOB = Caller("bob", "t2", Grants(frozenset({"invoke", "jobs"})))
ROOT = Caller("root", "t3", Grants(frozenset(GROUPS)))


async def waiting(life: Works, count: int) -> None:
    await until(lambda: life.engine.waits._of_caller.total() >= count)


async def test_everybody_who_waits_is_told_when_the_job_ends(life: Works) -> None:
    job = await life.start("1")
    await life.cells.has("1")
    asked = [asyncio.ensure_future(life.ledger.wait(who, job.job_id, 60)) for who in (ADA, ADA, ROOT)]
    await waiting(life, 3)
    life.cells.answer("1", {})
    assert {each.state for each in await asyncio.gather(*asked)} == {State.SUCCEEDED}
    assert not life.engine.waits._waiting
    assert not life.engine.waits._of_caller


async def test_a_wait_is_over_when_its_time_is(life: Works) -> None:
    job = await life.start("1")
    assert (await life.ledger.wait(ADA, job.job_id, 0)).state is State.RUNNING
    assert (await life.ledger.wait(ADA, job.job_id, 0.001)).state is State.RUNNING
    assert not life.engine.waits._waiting


async def test_a_job_that_has_ended_is_not_waited_for(life: Works) -> None:
    job = await life.start("1")
    await life.cells.has("1")
    life.cells.answer("1", {})
    await life.end(job)
    assert (await life.ledger.wait(ADA, job.job_id, 600)).state is State.SUCCEEDED


async def test_who_goes_away_waits_no_longer(life: Works) -> None:
    job = await life.start("1")
    asked = asyncio.ensure_future(life.ledger.wait(ADA, job.job_id, 60))
    await waiting(life, 1)
    asked.cancel()
    await asyncio.wait((asked,))
    assert not life.engine.waits._waiting


async def test_a_server_that_drains_lets_nobody_wait(life: Works) -> None:
    job = await life.start("1", "unsafe")
    await life.cells.has("1")
    asked = asyncio.ensure_future(life.ledger.wait(ADA, job.job_id, 600))
    await waiting(life, 1)
    draining = asyncio.ensure_future(life.engine.drain(600))
    assert (await asked).state is State.RUNNING
    assert (await life.ledger.wait(ADA, job.job_id, 600)).state is State.RUNNING
    life.cells.answer("1", {})
    await draining


async def test_too_many_who_wait_are_refused_and_one_caller_has_half_of_the_places(life: Works) -> None:
    job = await life.start("1")
    asked = [asyncio.ensure_future(life.ledger.wait(ADA, job.job_id, 60)) for _ in range(2)]
    await waiting(life, 2)
    with pytest.raises(ServerOverloaded):
        await life.ledger.wait(ADA, job.job_id, 60)
    asked += [asyncio.ensure_future(life.ledger.wait(ROOT, job.job_id, 60)) for _ in range(2)]
    await waiting(life, 4)
    with pytest.raises(ServerOverloaded):
        await life.ledger.wait(Caller("eve", "t", ROOT.grants), job.job_id, 60)
    assert (await life.ledger.wait(ADA, job.job_id, 0)).state is State.RUNNING
    life.cells.answer("1", {})
    await asyncio.gather(*asked)


async def test_the_end_that_comes_between_asking_and_looking_is_heard() -> None:
    waits = Waits(10)
    with waits.open("job_1", "ada") as first, waits.open("job_1", "ada") as second:
        waits.close()
        assert (first.result(), second.result()) == (None, None)


async def test_another_s_job_is_not_found_and_not_cancelled(life: Works) -> None:
    job = await life.start("1")
    await life.cells.has("1")
    for ask in (
        life.ledger.get(BOB, job.job_id),
        life.ledger.wait(BOB, job.job_id, 1),
        life.ledger.cancel(BOB, job.job_id),
        life.ledger.get(ADA, "job_unknown"),
    ):
        with pytest.raises(JobNotFound):
            await ask
    assert await life.ledger.page(BOB, JobFilter(), "", 10) == []
    with pytest.raises(RpcForbidden):
        await life.ledger.page(BOB, JobFilter(caller="ada"), "", 10)
    assert await life.ledger.page(ROOT, JobFilter(), "", 10) == [job]
    assert (await life.ledger.cancel(ROOT, job.job_id)).cancel_request_time
