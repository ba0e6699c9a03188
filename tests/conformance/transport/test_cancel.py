"""A caller that goes away has its handler killed, and the record says so."""

import threading

from tests.conformance.transport.doors import Site
from toolcell.v1.tool_service_pb2 import InvokeRequest
from toolcell.v1.trace_pb2 import STATE_CANCELLED, STATE_RUNNING, Invocation
from toolcell.v1.trace_service_pb2 import GetInvocationRequest, InvocationFilter, ListInvocationsRequest


def records(site: Site, state: int) -> list[Invocation]:
    wanted = InvocationFilter(tool="wait", state=state)  # type: ignore[arg-type] # a state
    answer = site.traces.ListInvocations(ListInvocationsRequest(filter=wanted), metadata=site.metadata())
    return list(answer.invocations)


def test_a_caller_that_goes_away_has_its_handler_killed(site: Site) -> None:
    ended = threading.Event()
    call = site.tools.Invoke.future(InvokeRequest(tool="wait"), metadata=site.metadata())
    call.add_done_callback(lambda _: ended.set())
    running: list[Invocation] = []
    while not running:
        assert not ended.is_set(), call.exception()
        running = records(site, STATE_RUNNING)
    call.cancel()
    cancelled: list[Invocation] = []
    while not cancelled:
        cancelled = records(site, STATE_CANCELLED)
    assert [it.invocation_id for it in cancelled] == [it.invocation_id for it in running]
    request = GetInvocationRequest(invocation_id=cancelled[0].invocation_id)
    record = site.traces.GetInvocation(request, metadata=site.metadata()).invocation
    assert record.HasField("end_time")
