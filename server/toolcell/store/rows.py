"""How nouns of the model become rows and come back."""

import json
from collections.abc import Mapping
from typing import Any, Final

from toolcell.model.caller import Grants, Token
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.job import Job
from toolcell.model.span import Event, EventKind, Invocation, State, Usage
from toolcell.store.happenings import Subject
from toolcell.store.interface import Row

_MOST: Final = (1 << 63) - 1  # BIGINT

to_json: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""Writes compact ASCII JSON; a lone surrogate becomes an escape, so the text is always storable."""


def token_row(token: Token) -> dict[str, Any]:
    """Makes the row of a token; grants are JSON."""
    grants = {"groups": sorted(token.grants.groups), "tools": list(token.grants.tools)}
    return {
        "token_id": token.token_id,
        "caller": token.caller,
        "digest": token.digest,
        "grants": to_json(grants),
        "note": token.note,
        "create_time": token.create_time,
        "expire_time": token.expire_time,
        "revoke_time": token.revoke_time,
    }


def token_from(row: Row) -> Token:
    """Reads a token from a row of `tokens` or `page_tokens`."""
    token_id, caller, digest, grants, note, create_time, expire_time, revoke_time = row
    granted = json.loads(grants)
    return Token(
        token_id,
        caller,
        digest,
        Grants(frozenset(granted["groups"]), tuple(granted["tools"])),
        note,
        create_time,
        expire_time,
        revoke_time,
    )


def invocation_row(record: Invocation) -> dict[str, Any]:
    """Makes the row of an invocation; labels and failure are JSON."""
    usage = record.usage
    return {
        "invocation_id": record.invocation_id,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_span_id": record.parent_span_id,
        "tool": storable(record.tool),
        "revision": record.revision,
        "caller": record.caller,
        "token_id": record.token_id,
        "tool_call_id": storable(record.tool_call_id),
        "labels": to_json(dict(record.labels)) if record.labels else "{}",
        "state": record.state.value,
        "isolation_level": record.isolation_level,
        "create_time": record.create_time,
        "start_time": record.start_time,
        "end_time": record.end_time,
        "input_json": storable(record.input_json),
        "output_json": storable(record.output_json),
        "failure": failure_json(record.failure) if record.failure else None,
        "cpu_microseconds": min(usage.cpu_microseconds, _MOST),
        "memory_peak_bytes": min(usage.memory_peak_bytes, _MOST),
        "interrupted": int(record.interrupted),
        "job_id": record.job_id,
        "attempt": record.attempt,
    }


def invocation_from(row: Row) -> Invocation:
    """Reads an invocation from a row of `get_invocation` or `page_invocations`."""
    identity: tuple[str, str, str, str, str, str, str, str, str] = row[:9]
    labels, state, level, create_time, start_time, end_time = row[9:15]
    input_json, output_json, failure, cpu_microseconds, memory_peak_bytes, interrupted = row[15:21]
    job_id, attempt = row[21:]
    return Invocation(
        *identity,
        labels=json.loads(labels),
        state=State(state),
        isolation_level=level,
        create_time=create_time,
        start_time=start_time,
        end_time=end_time,
        input_json=input_json,
        output_json=output_json,
        failure=_failure_from(json.loads(failure)) if failure else None,
        usage=Usage(cpu_microseconds, memory_peak_bytes),
        interrupted=bool(interrupted),
        job_id=job_id,
        attempt=attempt,
    )


JOB_COLUMNS: Final = (
    "job_id",
    "caller",
    "token_id",
    "trace_id",
    "parent_span_id",
    "owner",
    "invocation_id",
    "revision",
    "attempt",
    "create_time",
    "start_time",
    "end_time",
    "cancel_request_time",
    "retry_safe",
    "is_struct",
    "tool",
    "tool_call_id",
    "arguments_json",
    "output_json",
    "state",
    "labels",
    "failure",
)
"""The columns of a job in the order that `job_from` reads them."""


def job_row(job: Job) -> dict[str, Any]:
    """Makes the row of a job; labels and failure are JSON."""
    return {
        "job_id": job.job_id,
        "caller": job.caller,
        "token_id": job.token_id,
        "trace_id": job.trace_id,
        "parent_span_id": job.parent_span_id,
        "owner": job.owner,
        "invocation_id": job.invocation_id,
        "revision": job.revision,
        "attempt": job.attempt,
        "create_time": job.create_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "cancel_request_time": job.cancel_request_time,
        "retry_safe": int(job.retry_safe),
        "is_struct": int(job.is_struct),
        "tool": storable(job.tool),
        "tool_call_id": storable(job.tool_call_id),
        "arguments_json": storable(job.arguments_json),
        "output_json": storable(job.output_json),
        "state": job.state.value,
        "labels": to_json(dict(job.labels)) if job.labels else "{}",
        "failure": failure_json(job.failure) if job.failure else None,
    }


def job_from(row: Row) -> Job:
    """Reads a job from a row of `get_job`, `running_jobs` or `page_jobs`."""
    found: dict[str, Any] = dict(zip(JOB_COLUMNS, row, strict=True))
    for name in ("retry_safe", "is_struct"):
        found[name] = bool(found[name])
    found["state"] = State(found["state"])
    found["labels"] = json.loads(found["labels"])
    found["failure"] = _failure_from(json.loads(found["failure"])) if found["failure"] else None
    return Job(**found)


def storable(text: str) -> str:
    """Escapes lone surrogates, which no database takes as text."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def failure_json(failure: Failure) -> str:
    """Writes a failure as JSON."""
    return to_json(
        {
            "reason": failure.reason.value,
            "message": failure.message,
            "details": dict(failure.details),
            "retryable": failure.retryable,
            "executed": failure.executed.value,
            "attempt": failure.attempt,
        }
    )


def _failure_from(data: Mapping[str, Any]) -> Failure:
    return Failure(
        Reason(data["reason"]),
        data["message"],
        data["details"],
        data["retryable"],
        Executed(data["executed"]),
        data["attempt"],
    )


def event_row(invocation_id: str, event: Event) -> dict[str, Any]:
    """Makes the row of an event, but for its sequence number; the body is JSON."""
    return {
        "invocation_id": invocation_id,
        "time": max(-_MOST, min(event.time, _MOST)),
        "kind": event.kind.value,
        "body": to_json(dict(event.body)),
    }


def started_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the event row of a call's beginning from the `begin` row of the spool."""
    return {
        "invocation_id": row["invocation_id"],
        "time": row["begin_time"],
        "kind": EventKind.STARTED.value,
        "body": "{}",
    }


def ended_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the event row of a call's end from its final row; `duration` is in seconds."""
    duration = max(0, row["end_time"] - row["create_time"]) / 1e6
    text = f'{{"state":"{row["state"]}","duration":{duration:.6f}}}'  # on the way of every call: 3 µs cheaper
    if row["failure"]:
        failure = json.loads(row["failure"])
        body = {name: failure[name] for name in ("reason", "message", "executed")}
        if row["interrupted"]:
            body["interrupted"] = True
        text = f"{text[:-1]},{to_json(body)[1:]}"
    return {
        "invocation_id": row["invocation_id"],
        "time": row["end_time"],
        "kind": EventKind.ENDED.value,
        "body": text,
    }


def subject_from(row: Mapping[str, Any]) -> Subject:
    """Reads what identifies an invocation from its row."""
    return Subject(
        row["invocation_id"],
        row["tool"],
        row["caller"],
        row["trace_id"],
        row["tool_call_id"],
        row["job_id"],
        json.loads(row["labels"]) if row["labels"] != "{}" else {},
    )


def event_from(row: Row) -> tuple[int, Event]:
    """Reads an event and its sequence number from a row of `events`."""
    sequence, time, kind, body = row
    return sequence, Event(time, EventKind(kind), json.loads(body))
