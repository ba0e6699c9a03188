"""Jobs are the same on every database."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.store.samples import DAY, NOW, StillClock, ended, invocation, open_on
from toolcell.model import job as states
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.ids import new_id
from toolcell.model.job import Job
from toolcell.model.span import State
from toolcell.store.interface import JobFilter, TraceFilter, Waiting
from toolcell.store.lifecycle import Store

FAILURE = Failure(Reason.TOOL_ERROR, "no such customer", {"hint": ["ü", 1, None]}, executed=Executed.YES)


def a_job(**more: Any) -> Job:
    """Makes a job that was accepted just now."""
    given: dict[str, Any] = {
        "job_id": new_id("job"),
        "tool": "search_customer",
        "caller": "ada",
        "token_id": "tok_1",
        "trace_id": "ab" * 16,
        "create_time": NOW,
        "arguments_json": '{"query":"日本\\u0000"}',
        "retry_safe": True,
        "revision": "r1",
    }
    return Job(**given | more)


def running(job: Job, owner: str = "life_1") -> Job:
    after = states.start(job, owner, new_id("inv"), NOW + 1)
    assert after is not None
    return after


def failed(job: Job) -> Job:
    after = states.fail(job, job.fence, FAILURE, NOW + 2)
    assert after is not None
    return after


async def kept(store: Store, job: Job) -> Job:
    await store.jobs.add(job)
    return job


async def test_a_job_comes_back_as_it_was_added(store: Store) -> None:
    for job in (
        a_job(),
        a_job(labels={"session": "s 1", "Größe": "☃"}, tool_call_id="call_1", is_struct=True),
        running(a_job(retry_safe=False, parent_span_id="cd" * 8)),
    ):
        assert await store.jobs.get((await kept(store, job)).job_id) == job


async def test_a_job_there_is_not_is_none(store: Store) -> None:
    assert await store.jobs.get("job_unknown") is None


async def test_what_became_of_a_job_comes_back(store: Store) -> None:
    was = await kept(store, a_job())
    for after in (running(was), failed(running(was))):
        assert await store.jobs.change(was, after)
        assert await store.jobs.get(was.job_id) == after
        was = after


async def test_a_change_is_written_only_over_the_row_it_was_made_from(store: Store) -> None:
    first = await kept(store, a_job())
    second = running(first)
    assert await store.jobs.change(first, second)
    cancelled = replace(second, cancel_request_time=NOW + 5)
    for stale in (
        first,
        replace(second, attempt=2),
        replace(second, owner="life_2"),
        replace(second, cancel_request_time=NOW),
    ):
        assert not await store.jobs.change(stale, cancelled)
        assert await store.jobs.get(first.job_id) == second
    assert await store.jobs.change(second, cancelled)
    assert not await store.jobs.change(second, failed(second))  # it does not know of the cancellation
    assert await store.jobs.change(cancelled, failed(cancelled))


async def test_a_job_that_ended_never_changes(store: Store) -> None:
    job = await kept(store, running(a_job()))
    end = failed(job)
    assert await store.jobs.change(job, end)
    with pytest.raises(Exception, match="does not change"):
        await store.jobs.change(end, replace(end, output_json="x"))
    assert not await store.jobs.change(job, end)
    assert await store.jobs.get(job.job_id) == end


async def test_a_change_of_a_job_there_is_not_changes_nothing(store: Store) -> None:
    assert not await store.jobs.change(a_job(), running(a_job()))


async def test_the_same_job_is_not_added_twice(store: Store) -> None:
    job = await kept(store, a_job(labels={"a": "b"}))
    with pytest.raises(Exception, match="UNIQUE"):
        await store.jobs.add(replace(job, tool="other"))
    assert await store.jobs.get(job.job_id) == job


async def test_text_that_is_no_unicode_is_kept_escaped(store: Store) -> None:
    job = await kept(store, a_job(arguments_json='{"q":"\ud800"}', labels={"k": "\udfff"}))
    found = await store.jobs.get(job.job_id)
    assert found is not None
    assert found.arguments_json == '{"q":"\\ud800"}'


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pages_are_newest_first_and_join_up(store: Store) -> None:
    jobs = [await kept(store, a_job()) for _ in range(7)]
    seen: list[Job] = []
    while page := await store.jobs.page(JobFilter(), seen[-1].job_id if seen else "", 3):
        seen += page
    assert seen == jobs[::-1]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (JobFilter(), "abcd"),
        (JobFilter(tool="t2"), "b"),
        (JobFilter(caller="bob"), "bc"),
        (JobFilter(tool="t2", caller="ada"), ""),
        (JobFilter(state=State.PENDING), "abc"),
        (JobFilter(state=State.RUNNING), "d"),
        (JobFilter(tool_call_id="call_7"), "c"),
        (JobFilter(labels={"session": "1"}), "ab"),
        (JobFilter(labels={"session": "1", "user": "x"}), "b"),
        (JobFilter(labels={"session": "1", "user": "y"}), ""),
        (JobFilter(labels={"session": "1"}, caller="bob"), "b"),
        (JobFilter(tool="t' OR 1=1 --"), ""),
        (JobFilter(labels={"') --": "x"}), ""),
    ],
)
async def test_a_filter_chooses(store: Store, chosen: JobFilter, wanted: str) -> None:
    made = {
        "a": a_job(labels={"session": "1"}),
        "b": a_job(tool="t2", caller="bob", labels={"session": "1", "user": "x"}),
        "c": a_job(caller="bob", tool_call_id="call_7", labels={"session": "2"}),
        "d": running(a_job()),
    }
    for job in made.values():
        await store.jobs.add(job)
    names = {job.job_id: name for name, job in made.items()}
    found = [names[each.job_id] for each in await store.jobs.page(chosen, "", 10)]
    assert "".join(sorted(found)) == wanted
    cursor = made["c"].job_id
    after = await store.jobs.page(chosen, cursor, 10)
    assert [names[each.job_id] for each in after] == [name for name in found if made[name].job_id < cursor]


async def test_the_attempts_of_a_job_are_its_invocations(store: Store) -> None:
    job = a_job()
    attempts = [invocation(job_id=job.job_id, attempt=number) for number in (1, 2)]
    for record in (*attempts, invocation()):
        store.traces.begin(record, retry_safe=True)
        store.traces.end(ended(record))
    found = await store.traces.page(TraceFilter(job_id=job.job_id), "", 10)
    assert [each.attempt for each in found] == [2, 1]
    assert found == attempts[::-1]


# ── the next server ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_server_finds_what_waits_and_what_ran(tmp_path: Path) -> None:
    store = await open_on("sqlite-file", tmp_path)
    waiting = [await kept(store, a_job(tool=tool)) for tool in ("t1", "t2", "t1")]
    runs = await kept(store, running(a_job()))
    over = await kept(store, running(a_job()))
    await store.jobs.change(over, failed(over))
    await store.close()
    store = await open_on("sqlite-file", tmp_path)
    assert await store.jobs.waiting() == [Waiting(job.job_id, job.tool, "ada") for job in waiting]
    assert await store.jobs.running() == [runs]
    await store.close()


async def test_old_jobs_that_ended_go_and_the_others_stay(store: Store, clock: StillClock) -> None:
    over = await kept(store, running(a_job(labels={"a": "b"})))
    await store.jobs.change(over, failed(over))
    waits = await kept(store, a_job(labels={"a": "b"}))
    runs = await kept(store, running(a_job()))
    clock.now = NOW + 400 * DAY
    assert await store.pruner.prune() == 1
    assert await store.jobs.page(JobFilter(), "", 10) == [runs, waits]
    assert await store.jobs.page(JobFilter(labels={"a": "b"}), "", 10) == [waits]
