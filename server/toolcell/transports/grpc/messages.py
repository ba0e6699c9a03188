"""The model's nouns as messages of toolcell.v1."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from toolcell.contracts.catalog import Entry, Problem
from toolcell.model import caller, errors, job, span, tool
from toolcell.transports.grpc import structs
from toolcell.v1 import admin_pb2, error_reason_pb2, job_pb2, tool_pb2, tool_service_pb2, trace_pb2

_REASONS: Final = {
    reason: error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}") for reason in errors.Reason
}
_EXECUTED: Final = {executed: tool_pb2.Executed.Value(f"EXECUTED_{executed}") for executed in errors.Executed}
_STATES: Final = {state: trace_pb2.State.Value(f"STATE_{state}") for state in span.State}
_STATES_BACK: Final[dict[int, span.State]] = {value: state for state, value in _STATES.items()}
_IDEMPOTENCY: Final = {
    tool.Idempotency.UNSET: tool_pb2.IDEMPOTENCY_LEVEL_UNSPECIFIED,
    tool.Idempotency.NO_SIDE_EFFECTS: tool_pb2.IDEMPOTENCY_LEVEL_NO_SIDE_EFFECTS,
    tool.Idempotency.IDEMPOTENT: tool_pb2.IDEMPOTENCY_LEVEL_IDEMPOTENT,
}


def timestamp(microseconds: int) -> Timestamp | None:
    """Returns a moment since the Unix epoch; None for 0, which means not set."""
    if not microseconds:
        return None
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def duration(microseconds: int) -> Duration:
    """Returns a length of time; never a negative one."""
    microseconds = max(0, microseconds)
    return Duration(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def state(value: int) -> span.State | None:
    """Returns the state a number of trace.State stands for; None for 0 and for numbers that mean nothing."""
    return _STATES_BACK.get(value)


def state_number(value: span.State) -> int:
    """Returns the number of a state in trace.State."""
    return _STATES[value]


def tool_message(entry: Entry, level: int) -> tool_pb2.Tool:
    """Returns a tool as callers see it; `level` is the isolation level of its cells."""
    it = entry.tool
    message = tool_pb2.Tool(
        name=it.name,
        title=it.title,
        description=it.description,
        input_schema_json=entry.contract.input_schema_json,
        output_schema_json=entry.contract.output_schema_json,
        idempotency_level=_IDEMPOTENCY[it.idempotency],
        timeout=duration(round(it.timeout_seconds * 1e6)),
        output_limit_bytes=it.output_limit_bytes,
        method_path=it.path,
        revision=it.revision,
        isolation_level=level,
    )
    if it.unavailable is not None:
        why = it.unavailable
        message.unavailability.CopyFrom(
            tool_pb2.Unavailability(
                cause=why.cause, message=why.message, location=why.where, remedy=why.remedy
            )
        )
    return message


def failure_message(failure: errors.Failure) -> tool_pb2.Failure:
    """Returns how a call ended when it did not succeed."""
    return tool_pb2.Failure(
        reason=_REASONS[failure.reason],
        message=failure.message,
        details=structs.shown(failure.details),
        retryable=failure.retryable,
        executed=_EXECUTED[failure.executed],
        attempt=failure.attempt,
    )


def put_output(
    answer: tool_service_pb2.InvokeResponse | job_pb2.Job, output_json: str, *, is_struct: bool
) -> None:
    """Puts an output into an answer; one that no Struct can hold is JSON text in any case."""
    if is_struct:
        try:
            answer.output.CopyFrom(structs.from_json(output_json))
        except structs.Unfit:
            pass
        else:
            return
    answer.output_json = output_json


def job_message(it: job.Job, progress: Mapping[str, Any]) -> job_pb2.Job:
    """Returns a job as callers see it; `progress` is what its handler said last, {} for nothing."""
    message = job_pb2.Job(
        job_id=it.job_id,
        tool=it.tool,
        caller=it.caller,
        token_id=it.token_id,
        labels=it.labels,
        tool_call_id=it.tool_call_id,
        state=_STATES[it.state],
        attempt=it.attempt,
        create_time=timestamp(it.create_time),
        start_time=timestamp(it.start_time),
        end_time=timestamp(it.end_time),
        cancel_request_time=timestamp(it.cancel_request_time),
        revision=it.revision,
        trace_id=it.trace_id,
        invocation_id=it.invocation_id,
    )
    if it.failure is not None:
        message.failure.CopyFrom(failure_message(it.failure))
    elif it.has_ended:
        put_output(message, it.output_json, is_struct=it.is_struct)
    if progress:
        message.progress.fraction = float(progress.get("fraction") or 0)
        message.progress.message = str(progress.get("message") or "")
    return message


def invocation_message(record: span.Invocation) -> trace_pb2.Invocation:
    """Returns a record without its events."""
    return trace_pb2.Invocation(
        invocation_id=record.invocation_id,
        trace_id=record.trace_id,
        span_id=record.span_id,
        parent_span_id=record.parent_span_id,
        tool=record.tool,
        revision=record.revision,
        caller=record.caller,
        token_id=record.token_id,
        tool_call_id=record.tool_call_id,
        labels=record.labels,
        state=_STATES[record.state],
        isolation_level=record.isolation_level,
        create_time=timestamp(record.create_time),
        start_time=timestamp(record.start_time),
        end_time=timestamp(record.end_time),
        duration=duration(record.end_time - record.create_time) if record.end_time else None,
        input_json=record.input_json,
        output_json=record.output_json,
        failure=failure_message(record.failure) if record.failure else None,
        cpu_time=duration(record.usage.cpu_microseconds),
        memory_peak_bytes=record.usage.memory_peak_bytes,
        interrupted=record.interrupted,
        job_id=record.job_id,
        attempt=record.attempt,
    )


def event_message(sequence: int, event: span.Event) -> trace_pb2.TraceEvent:
    """Returns one event of a trace."""
    return trace_pb2.TraceEvent(
        sequence=sequence, time=timestamp(event.time), kind=event.kind, body=structs.shown(event.body)
    )


def token_message(token: caller.Token) -> admin_pb2.Token:
    """Returns what may be told of a token: neither its secret nor its digest."""
    return admin_pb2.Token(
        token_id=token.token_id,
        caller=token.caller,
        note=token.note,
        grants=admin_pb2.Grants(groups=sorted(token.grants.groups), tools=token.grants.tools),
        create_time=timestamp(token.create_time),
        expire_time=timestamp(token.expire_time),
        revoke_time=timestamp(token.revoke_time),
    )


def problem_message(problem: Problem) -> admin_pb2.ToolProblem:
    """Returns why something of the workspace is not served."""
    return admin_pb2.ToolProblem(
        tool=problem.tool,
        cause=problem.cause,
        message=problem.message,
        location=problem.where,
        remedy=problem.remedy,
        served_revision=problem.served,
    )
