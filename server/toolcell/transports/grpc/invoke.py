"""The door of Invoke: a request becomes a call, and what came of it an answer in the form of the question."""

import asyncio
from collections.abc import Callable

from toolcell.model.call import Call, Outcome, Question
from toolcell.model.errors import Executed, Refusal
from toolcell.pipeline.gate import Gate
from toolcell.transports.grpc import messages, requests, structs
from toolcell.transports.grpc.doors import Answer, credentials, current_task, read
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.traffic import Traffic, draining
from toolcell.v1.job_service_pb2 import StartJobRequest
from toolcell.v1.tool_service_pb2 import InvokeRequest, InvokeResponse

PATH = "/toolcell.v1.ToolService/Invoke"


class Inquiry:
    """Reads the question out of a request's bytes when the pipeline asks for it: once its sender is known."""

    __slots__ = ("_body", "_kind", "_limit")

    def __init__(
        self, body: bytes, limit: int, kind: type[InvokeRequest] | type[StartJobRequest] = InvokeRequest
    ) -> None:
        self._body = body
        self._limit = limit
        self._kind = kind

    def __call__(self) -> Question:
        """Returns the question; raises InputTooLarge or RequestInvalid with every violation."""
        requests.bound_size(self._body, self._limit)
        request = requests.decode(self._kind, self._body)
        tool, tool_call_id, labels = request.tool, request.tool_call_id, request.labels
        if labels or not _is_plain(tool, tool_call_id):
            requests.require(
                requests.tool_name("tool", tool),
                requests.text("tool_call_id", tool_call_id),
                requests.labels("labels", labels),
            )
        is_struct = request.HasField("arguments")
        if is_struct:
            arguments_json = structs.to_json(request.arguments, "arguments")
        else:
            arguments_json = request.arguments_json or "{}"
        return Question(tool, arguments_json, tool_call_id, dict(labels), is_struct)


def _is_plain(tool: str, tool_call_id: str) -> bool:
    """Tells of nearly every request, at a tenth of the price, that it breaks none of the rules."""
    return (
        0 < len(tool) <= requests.NAME_LENGTH
        and len(tool_call_id) <= requests.TEXT_LENGTH
        and tool.isprintable()
        and tool_call_id.isprintable()
    )


def door(services: Services, traffic: Traffic, message_bytes: int) -> Answer:
    """Returns the function that answers Invoke."""

    # The pipeline authenticates, so that every door does it alike; by then the body is in memory. Hence the
    # look at a stranger's token before its body is read, when there is a crowd: they can fill 32 places.
    async def answer(context: Context) -> bytes:
        traffic.take_new()
        body = await body_of(context, services.gate, traffic)
        call = new_call(services, context, Inquiry(body, message_bytes))
        outcome = await outcome_of(call, services, traffic, context)
        return respond(call, outcome).SerializeToString()

    return answer


async def body_of(context: Context, gate: Gate, traffic: Traffic) -> bytes:
    """Reads a request; in a crowd, not that of a stranger, whom the pipeline refuses without a look at it."""
    is_unwelcome = traffic.is_crowded and not gate.knows(credentials(context)[0])
    return b"" if is_unwelcome else await read(context)


def new_call(services: Services, context: Context, read_question: Callable[[], Question]) -> Call:
    """Makes the call of a request whose message has come."""
    authorization, traceparent = credentials(context)
    remaining: float | None = context.time_remaining()
    deadline = None if remaining is None else services.clock.monotonic() + remaining
    return Call(authorization=authorization, traceparent=traceparent, deadline=deadline, read=read_question)


async def outcome_of(call: Call, services: Services, traffic: Traffic, context: Context) -> Outcome:
    """Walks a call down the pipeline; also one that was cut off by the end of the grace gets its outcome."""
    try:
        return await settled(call, services, traffic)
    except Refusal:
        name_record(context, call)
        raise


async def settled(call: Call, services: Services, traffic: Traffic) -> Outcome:
    """Walks a call down the pipeline, or says what came of it when the grace ended; raises a Refusal."""
    try:
        return await services.invoke(call)
    except asyncio.CancelledError:
        if not traffic.is_cut_off:
            raise
        return _cut_off(call)


def respond(call: Call, outcome: Outcome) -> InvokeResponse:
    """Returns the answer to a call, in the form of its question."""
    record = call.record
    response = InvokeResponse(
        invocation_id=record.invocation_id, duration=messages.duration(record.end_time - record.create_time)
    )
    if outcome.failure is not None:
        response.failure.CopyFrom(messages.failure_message(outcome.failure))
        return response
    messages.put_output(response, outcome.output_json, is_struct=call.question.is_struct)
    return response


def name_record(context: Context, call: Call) -> None:
    """Sends the invocation's id in the trailers, where the answer has no place for it."""
    record = getattr(call, "record", None)
    if record is not None:
        context.set_trailing_metadata((("toolcell-invocation-id", record.invocation_id),))


def _cut_off(call: Call) -> Outcome:
    """What a call gets that was in flight when the grace was over; raises ServerDraining if nothing ran."""
    current_task().uncancel()
    failure = call.record.failure if call.is_begun else None
    if failure is None or failure.executed is Executed.NO:
        raise draining()
    return Outcome(failure=failure)
