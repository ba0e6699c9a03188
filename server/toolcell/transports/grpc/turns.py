"""The door of RunToolCalls: a model's turn in its provider's own words, its calls run side by side."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from toolcell.contracts import dialects
from toolcell.contracts.dialects.turns import Result, ToolCall, TurnInvalid
from toolcell.model.call import Question
from toolcell.model.errors import Refusal, RequestInvalid, Violation
from toolcell.pipeline.contract import by_size
from toolcell.transports.grpc import invoke, requests
from toolcell.transports.grpc.doors import Answer, credentials, current_task, read
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.traffic import Traffic, draining
from toolcell.v1.tool_service_pb2 import RunToolCallsRequest, RunToolCallsResponse

PATH: Final = "/toolcell.v1.ToolService/RunToolCalls"
MOST_CALLS: Final = 128
AT_ONCE: Final = 16
"""Calls of one turn that run side by side; each takes a slot of its tool as any other call does."""

MOST_BYTES: Final = 3 << 20
"""All outputs of a turn together; clients take 4 MiB by default."""

_LEFT_OUT: Final = (
    "{tool} ran, but all answers of this turn together are larger than {limit} bytes and this one was left "
    "out. Ask for less at once; do not repeat a call that has effects."
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Gives the question of one call when the pipeline asks for it."""

    call: ToolCall
    dialect: str
    labels: dict[str, str]

    def __call__(self) -> Question:
        """Returns the question; raises RequestInvalid for a name or an id that cannot be one."""
        asked = self.call
        requests.require(
            requests.tool_name("tool", asked.tool), requests.text("tool_call_id", asked.tool_call_id)
        )
        return Question(
            asked.tool, asked.arguments_json, asked.tool_call_id, self.labels, dialect=self.dialect
        )


def door(services: Services, traffic: Traffic, message_bytes: int) -> Answer:
    """Returns the function that answers RunToolCalls."""

    async def answer(context: Context) -> bytes:
        traffic.take_new()
        services.gate.admit(credentials(context)[0], "invoke")
        body = await read(context)
        requests.bound_size(body, message_bytes)
        request = requests.decode(RunToolCallsRequest, body)
        requests.require(
            requests.present("dialect", request.dialect),
            requests.text("dialect", request.dialect, requests.NAME_LENGTH),
            requests.present("message_json", request.message_json),
            requests.labels("labels", request.labels),
        )
        dialect = dialects.find(request.dialect)
        inquiries = [
            Inquiry(call, dialect.name, dict(request.labels))
            for call in _calls(dialect, request.message_json)
        ]
        turn = Turn(services, traffic, context)
        results = _bounded(await turn.run(inquiries))
        size = sum(len(result.output_json) for result in results)
        results_json = await by_size(size, dialect.turns.results, results)
        return RunToolCallsResponse(
            results_json=results_json, invocation_ids=turn.invocation_ids
        ).SerializeToString()

    return answer


class Turn:
    """Runs the calls of one turn; `invocation_ids` are those of their records, in the order of the calls."""

    def __init__(self, services: Services, traffic: Traffic, context: Context) -> None:
        self._services = services
        self._traffic = traffic
        self._context = context
        self._places = asyncio.Semaphore(AT_ONCE)
        self.invocation_ids: list[str] = []

    async def run(self, inquiries: Sequence[Inquiry]) -> list[Result]:
        """Returns what came of each call; when the client goes away, every handler is killed."""
        self.invocation_ids = [""] * len(inquiries)
        tasks = [asyncio.create_task(self._one(at, inquiry)) for at, inquiry in enumerate(inquiries)]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if not self._traffic.is_cut_off:
                raise
            current_task().uncancel()
        return [task.result() for task in tasks]

    async def _one(self, at: int, inquiry: Inquiry) -> Result:
        """Returns what came of one call; a refusal is the model's to read, as a failure is."""
        try:
            async with self._places:
                call = invoke.new_call(self._services, self._context, inquiry)
                try:
                    outcome = await invoke.settled(call, self._services, self._traffic)
                finally:
                    record = getattr(call, "record", None)
                    self.invocation_ids[at] = record.invocation_id if record is not None else ""
        except Refusal as refusal:
            return Result(inquiry.call, error=refusal.told)
        except asyncio.CancelledError:
            if not self._traffic.is_cut_off:
                raise
            current_task().uncancel()  # it waited for its place
            return Result(inquiry.call, error=draining().told)
        if outcome.failure is not None:
            return Result(inquiry.call, error=outcome.failure.message)
        return Result(inquiry.call, outcome.output_json)


def _calls(dialect: dialects.Dialect, message_json: str) -> list[ToolCall]:
    try:
        calls = dialect.turns.calls(message_json)
    except TurnInvalid as wrong:
        dot = "" if not wrong.field or wrong.field.startswith("[") else "."
        raise _invalid(f"message_json{dot}{wrong.field}", wrong.sentence, "TURN") from None
    if len(calls) > MOST_CALLS:
        raise _invalid("message_json", f"must hold at most {MOST_CALLS} calls; it holds {len(calls)}", "MOST")
    return calls


def _invalid(field: str, sentence: str, rule: str) -> RequestInvalid:
    return RequestInvalid(
        f"The request is not acceptable: {field}: {sentence}. Send the provider's own message, unchanged, "
        "or its list of tool calls.",
        violations=[Violation(field, sentence, rule)],
    )


def _bounded(results: Sequence[Result]) -> list[Result]:
    """Leaves out answers beyond what a client takes in all, and says so in their place."""
    room = MOST_BYTES
    bounded: list[Result] = []
    for result in results:
        size = len(result.output_json.encode())
        if size > room and bounded:
            told = _LEFT_OUT.format(tool=result.call.tool, limit=f"{MOST_BYTES:,}")
            bounded.append(Result(result.call, error=told))
        else:
            bounded.append(result)
            room -= size
    return bounded
