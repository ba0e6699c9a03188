"""The doors of JobService: a caller's own jobs, and everybody's for who is granted that."""

from typing import Final

from toolcell.model.call import Call
from toolcell.model.caller import Caller
from toolcell.model.errors import Refusal, Violation
from toolcell.model.job import Job
from toolcell.store.interface import JobFilter
from toolcell.transports.grpc import messages, paging, requests
from toolcell.transports.grpc.doors import Method, credentials
from toolcell.transports.grpc.invoke import Inquiry, body_of, name_record
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.traffic import Traffic
from toolcell.v1 import job_pb2
from toolcell.v1 import job_service_pb2 as v1

SERVICE: Final = "/toolcell.v1.JobService"
START: Final = f"{SERVICE}/StartJob"
_USUAL_ROWS: Final = 50
_LONGEST_WAIT: Final = 600


class Jobs:
    """Starts jobs and answers for them."""

    def __init__(self, services: Services, traffic: Traffic, message_bytes: int) -> None:
        self._gate = services.gate
        self._traffic = traffic
        self._start_job = services.start_job
        self._ledger = services.jobs
        self._message_bytes = message_bytes

    def methods(self) -> tuple[Method, ...]:
        """Returns the rows of the table; StartJob has a door like Invoke, as a call walks through it."""
        return (
            Method(f"{SERVICE}/GetJob", "jobs", v1.GetJobRequest, self.get),
            Method(f"{SERVICE}/ListJobs", "jobs", v1.ListJobsRequest, self.list),
            Method(f"{SERVICE}/WaitJob", "jobs", v1.WaitJobRequest, self.wait),
            Method(f"{SERVICE}/CancelJob", "jobs", v1.CancelJobRequest, self.cancel),
        )

    async def start(self, context: Context) -> bytes:
        """Answers StartJob."""
        authorization, traceparent = credentials(context)
        body = await body_of(context, self._gate, self._traffic)
        inquiry = Inquiry(body, self._message_bytes, v1.StartJobRequest)
        call = Call(authorization=authorization, traceparent=traceparent, deadline=None, read=inquiry)
        try:
            outcome = await self._start_job(call)
        except Refusal:
            name_record(context, call)
            raise
        if outcome.job is None:
            raise RuntimeError("a call that was to become a job has become none")
        return v1.StartJobResponse(job=self._message(outcome.job)).SerializeToString()

    async def get(self, caller: Caller, request: v1.GetJobRequest) -> bytes:
        """Answers GetJob."""
        requests.require(requests.job_id("job_id", request.job_id))
        job = await self._ledger.get(caller, request.job_id)
        return v1.GetJobResponse(job=self._message(job)).SerializeToString()

    async def list(self, caller: Caller, request: v1.ListJobsRequest) -> bytes:
        """Answers ListJobs."""
        chosen = _filter(request.filter)
        fields = request.filter.SerializeToString(deterministic=True)
        page = paging.open_page(request, paging.query("ListJobs", caller.name, fields), _USUAL_ROWS)
        response = v1.ListJobsResponse()
        response.next_page_token = await paging.fill(
            page,
            lambda before, limit: self._ledger.page(caller, chosen, before, limit),
            self._message,
            response.jobs,
            lambda job: job.job_id,
        )
        return response.SerializeToString()

    async def wait(self, caller: Caller, request: v1.WaitJobRequest) -> bytes:
        """Answers WaitJob."""
        requests.require(requests.job_id("job_id", request.job_id), _timeout(request))
        seconds = request.timeout.seconds + request.timeout.nanos / requests.NANOS
        job = await self._ledger.wait(caller, request.job_id, seconds)
        return v1.WaitJobResponse(job=self._message(job)).SerializeToString()

    async def cancel(self, caller: Caller, request: v1.CancelJobRequest) -> bytes:
        """Answers CancelJob."""
        requests.require(requests.job_id("job_id", request.job_id))
        job = await self._ledger.cancel(caller, request.job_id)
        return v1.CancelJobResponse(job=self._message(job)).SerializeToString()

    def _message(self, job: Job) -> job_pb2.Job:
        return messages.job_message(job, self._ledger.progress(job))


def _filter(wanted: v1.JobFilter) -> JobFilter:
    """Returns what a caller asks for; raises RequestInvalid."""
    requests.require(
        requests.text("filter.tool", wanted.tool, requests.NAME_LENGTH),
        requests.text("filter.caller", wanted.caller, requests.NAME_LENGTH),
        requests.state("filter.state", wanted.state),
        requests.text("filter.tool_call_id", wanted.tool_call_id),
        requests.labels("filter.labels", wanted.labels),
    )
    return JobFilter(
        tool=wanted.tool,
        caller=wanted.caller,
        state=messages.state(wanted.state),
        tool_call_id=wanted.tool_call_id,
        labels=dict(wanted.labels),
    )


def _timeout(request: v1.WaitJobRequest) -> requests.Violations:
    seconds, nanos = request.timeout.seconds, request.timeout.nanos
    if not (0 <= seconds <= _LONGEST_WAIT and 0 <= nanos < requests.NANOS):
        yield Violation("timeout", f"must be from 0 to {_LONGEST_WAIT} s (ten minutes)", "duration.gte_lte")
