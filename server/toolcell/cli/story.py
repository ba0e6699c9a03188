"""How an invocation is told: a row of a table, or the whole story with its events."""

import json
from typing import Any

from toolcell.cli.events import told
from toolcell.cli.options import as_data, word_of
from toolcell.cli.text import moment, paint, plain, pretty, size, span

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow"}


def row(invocation: Any) -> tuple[str, ...]:
    """Returns id, time, tool, outcome, duration and caller."""
    return (
        invocation.invocation_id,
        moment(invocation.create_time.ToMicroseconds()),
        invocation.tool,
        _reason(invocation) or _state(invocation),
        _took(invocation),
        invocation.caller,
    )


def story(answer: Any) -> list[str]:
    """Tells one invocation: its record, its events by the time since it came, what went in and out."""
    record = answer.invocation
    lines = [paint(plain(record.invocation_id), COLOURS.get(_state(record), "white"))]
    lines += [f"{name:<13} {plain(value)}" for name, value in _facts(record).items() if value]
    if answer.events:
        begin = record.create_time.ToMicroseconds()
        lines += ["", paint("events", "bright_black"), *(event_line(event, begin) for event in answer.events)]
    if record.failure.details.fields:
        lines += ["", paint("details", "bright_black"), pretty(as_data(record.failure.details))]
    for name, text in (("input", record.input_json), ("output", record.output_json)):
        if text:
            lines += ["", paint(name, "bright_black"), _json(text)]
    return lines


def _facts(record: Any) -> dict[str, str]:
    """Returns what the record says, by name; "" for what it does not say."""
    from toolcell.v1 import tool_pb2

    failed, ran = record.HasField("failure"), record.HasField("start_time")
    waited = record.start_time.ToMicroseconds() - record.create_time.ToMicroseconds() if ran else 0
    executed = word_of(tool_pb2.Executed, record.failure.executed, "EXECUTED_")
    return {
        "tool": record.tool,
        "state": f"{_state(record)}: {_reason(record)}" if failed else _state(record),
        "message": record.failure.message,
        "executed": executed if failed else "",
        "interrupted": "the server died while it ran" if record.interrupted else "",
        "time": moment(record.create_time.ToMicroseconds()),
        "duration": _took(record),
        "waited": f"{span(waited / 1e6)} for a cell" if waited > 0 else "",
        "used": _used(record),
        "isolation": f"level {record.isolation_level}" if ran else "no cell had it",
        "caller": f"{record.caller} (token {record.token_id})",
        "job": f"{record.job_id}, attempt {record.attempt}" if record.job_id else "",
        "tool call id": record.tool_call_id,
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(record.labels.items())),
        "revision": record.revision,
        "trace": f"{record.trace_id}, span {record.span_id}",
        "parent span": record.parent_span_id,
    }


def _state(record: Any) -> str:
    from toolcell.v1 import trace_pb2

    return word_of(trace_pb2.State, record.state, "STATE_")


def _reason(record: Any) -> str:
    """Names the reason of a failure or a refusal; "" without one."""
    from toolcell.v1 import error_reason_pb2

    if not record.HasField("failure"):
        return ""
    return word_of(error_reason_pb2.ErrorReason, record.failure.reason, "ERROR_REASON_")


def _took(record: Any) -> str:
    return span(record.duration.ToTimedelta().total_seconds()) if record.HasField("end_time") else ""


def _used(record: Any) -> str:
    cpu = record.cpu_time.ToTimedelta().total_seconds()
    words = [
        f"{span(cpu)} CPU" if cpu else "",
        f"{size(record.memory_peak_bytes)} memory" if record.memory_peak_bytes else "",
    ]
    return ", ".join(word for word in words if word)


def event_line(event: Any, begin: int) -> str:
    """Tells one event: how long after `begin` (microseconds) it came, what kind it is, and its body."""
    after = max(event.time.ToMicroseconds() - begin, 0) / 1e6
    return told(event, f"  {f'+{span(after)}':>10}  {plain(event.kind):<9}", 24)


def _json(text: str) -> str:
    """Indents JSON text; what is none (a refused call's input, say) is shown as it came."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return plain(text)
