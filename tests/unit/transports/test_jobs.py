"""The doors of JobService: the form of questions and answers, who may ask what, what is refused."""

import asyncio
from typing import Any, cast

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from tests.unit.jobs.works import until
from tests.unit.transports.house import House, fields, info, refusal
from toolcell.v1 import job_pb2, trace_pb2
from toolcell.v1 import job_service_pb2 as v1

ID = "job_" + "0" * 26


async def start(house: House, number: str, **more: Any) -> job_pb2.Job:
    request = v1.StartJobRequest(tool="safe", arguments_json=f'{{"n": "{number}"}}', **more)
    return (await house.jobs.StartJob(request, metadata=house.metadata)).job


async def wait(house: House, job: job_pb2.Job) -> job_pb2.Job:
    request = v1.WaitJobRequest(job_id=job.job_id, timeout=Duration(seconds=30))
    return (await house.jobs.WaitJob(request, metadata=house.metadata)).job


async def test_a_job_tells_all_about_itself(served: House) -> None:
    metadata = (*served.metadata, ("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"))
    request = v1.StartJobRequest(
        tool="safe", arguments_json='{"n": "1"}', labels={"a": "b"}, tool_call_id="call_1"
    )
    job = (await served.jobs.StartJob(request, metadata=metadata)).job
    assert (job.tool, job.caller, dict(job.labels), job.tool_call_id) == ("safe", "ada", {"a": "b"}, "call_1")
    assert (job.state, job.attempt, job.trace_id) == (trace_pb2.STATE_RUNNING, 1, "ab" * 16)
    assert job.HasField("create_time")
    assert job.HasField("start_time")
    for name in ("end_time", "cancel_request_time", "progress", "output", "output_json", "failure"):
        assert not job.HasField(name), name
    assert (
        await served.jobs.GetJob(v1.GetJobRequest(job_id=job.job_id), metadata=served.metadata)
    ).job == job


async def test_the_answer_has_the_form_of_the_question(served: House) -> None:
    text = await start(served, "1")
    arguments = Struct()
    arguments.update({"n": "2"})
    request = v1.StartJobRequest(tool="safe", arguments=arguments)
    struct = (await served.jobs.StartJob(request, metadata=served.metadata)).job
    await served.cells.has("1", "2")
    for number in "12":
        served.cells.answer(number, {"a": 1})
    assert (await wait(served, text)).output_json == '{"a": 1}'
    ended = await wait(served, struct)
    assert dict(ended.output) == {"a": 1}
    listed = await served.jobs.ListJobs(v1.ListJobsRequest(), metadata=served.metadata)
    assert listed.jobs[0] == ended


async def test_a_wait_is_answered_in_the_moment_the_job_ends(served: House) -> None:
    job = await start(served, "1")
    await served.cells.has("1")
    asked = asyncio.ensure_future(wait(served, job))
    await until(lambda: bool(served.services.jobs._engine.waits._waiting))
    served.cells.answer("1", {})
    assert (await asked).state == trace_pb2.STATE_SUCCEEDED


async def test_cancelling_twice_is_as_once(served: House) -> None:
    job = await start(served, "1")
    await served.cells.has("1")
    request = v1.CancelJobRequest(job_id=job.job_id)
    first = (await served.jobs.CancelJob(request, metadata=served.metadata)).job
    ended = await wait(served, job)
    assert ended.state == trace_pb2.STATE_CANCELLED
    assert ended.cancel_request_time == first.cancel_request_time
    assert (await served.jobs.CancelJob(request, metadata=served.metadata)).job == ended


async def test_pages_join_up_and_belong_to_their_filter(served: House) -> None:
    jobs = [await start(served, str(number), labels={"a": str(number % 2)}) for number in range(5)]
    request = v1.ListJobsRequest(page_size=2)
    seen = []
    while True:
        page = await served.jobs.ListJobs(request, metadata=served.metadata)
        seen += [job.job_id for job in page.jobs]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [job.job_id for job in jobs[::-1]]
    request = v1.ListJobsRequest(filter=v1.JobFilter(labels={"a": "1"}, state=trace_pb2.STATE_RUNNING))
    found = await served.jobs.ListJobs(request, metadata=served.metadata)
    assert [job.job_id for job in found.jobs] == [jobs[1].job_id]
    request = v1.ListJobsRequest(page_size=1)
    token = (await served.jobs.ListJobs(request, metadata=served.metadata)).next_page_token
    other = v1.ListJobsRequest(page_size=1, page_token=token, filter=v1.JobFilter(tool="safe"))
    refused = await refusal(served.jobs.ListJobs(other, metadata=served.metadata))
    assert info(refused).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("method", "request_", "found"),
    [
        ("GetJob", v1.GetJobRequest(), ["job_id"]),
        ("GetJob", v1.GetJobRequest(job_id="inv_1"), ["job_id"]),
        ("CancelJob", v1.CancelJobRequest(job_id="x" * 5000), ["job_id"]),
        ("WaitJob", v1.WaitJobRequest(job_id=ID, timeout=Duration(seconds=601)), ["timeout"]),
        ("WaitJob", v1.WaitJobRequest(timeout=Duration(seconds=-1)), ["job_id", "timeout"]),
        ("ListJobs", v1.ListJobsRequest(page_size=1001), ["page_size"]),
        (
            "ListJobs",
            v1.ListJobsRequest(filter=v1.JobFilter(tool="\x01", state=cast("Any", 9))),
            ["filter.tool", "filter.state"],
        ),
        ("StartJob", v1.StartJobRequest(tool_call_id="\x7f"), ["tool", "tool_call_id"]),
        ("StartJob", v1.StartJobRequest(tool="safe", labels={"A": "b"}), ["labels"]),
    ],
)
async def test_every_field_is_held_to_its_rule(
    served: House, method: str, request_: object, found: list[str]
) -> None:
    refused = await refusal(getattr(served.jobs, method)(request_, metadata=served.metadata))
    assert (info(refused).reason, fields(refused)) == ("REQUEST_INVALID", found)


@pytest.mark.parametrize("method", ["GetJob", "WaitJob", "CancelJob"])
async def test_another_s_job_is_like_one_there_is_not(served: House, method: str) -> None:
    job = await start(served, "1")
    bob = await served.token("jobs", caller="bob")
    for job_id in (job.job_id, ID):
        request = getattr(v1, f"{method}Request")(job_id=job_id)
        refused = await refusal(getattr(served.jobs, method)(request, metadata=bob))
        assert (info(refused).reason, refused.code()) == ("JOB_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        assert info(refused).metadata["job_id"] == job_id
    boss = await served.token("jobs", "jobs.all", caller="boss")
    request = getattr(v1, f"{method}Request")(job_id=job.job_id)
    assert (await getattr(served.jobs, method)(request, metadata=boss)).job.job_id == job.job_id


@pytest.mark.parametrize(
    ("method", "groups", "missing"),
    [
        ("StartJob", ("jobs",), "invoke"),
        ("StartJob", ("invoke",), "jobs"),
        ("GetJob", ("invoke", "jobs.all"), "jobs"),
        ("ListJobs", ("invoke",), "jobs"),
        ("WaitJob", ("invoke",), "jobs"),
        ("CancelJob", ("invoke",), "jobs"),
    ],
)
async def test_a_group_that_is_not_granted_is_named(
    served: House, method: str, groups: tuple[str, ...], missing: str
) -> None:
    metadata = await served.token(*groups)
    refused = await refusal(
        getattr(served.jobs, method)(getattr(v1, f"{method}Request")(), metadata=metadata)
    )
    assert (info(refused).reason, info(refused).metadata["group"]) == ("RPC_FORBIDDEN", missing)


async def test_a_start_that_is_refused_names_its_record(served: House) -> None:
    request = v1.StartJobRequest(tool="safe", arguments_json='{"bad": 1}')
    refused = await refusal(served.jobs.StartJob(request, metadata=served.metadata))
    assert info(refused).reason == "INPUT_INVALID"
    (record_id,) = [value for key, value in refused.trailing_metadata() if key == "toolcell-invocation-id"]
    found = await served.traces.get(str(record_id))
    assert found is not None
    assert found[0].failure is not None


async def test_a_stranger_starts_nothing(served: House) -> None:
    for metadata in ((), (("authorization", "Bearer tc_dev_x"),)):
        refused = await refusal(served.jobs.StartJob(v1.StartJobRequest(tool="safe"), metadata=metadata))
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
