"""The verbs `runs` and `trace`."""

import json
from typing import Any

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, json_option, label, show_json
from toolcell.cli.session import Session
from toolcell.cli.text import moment, paint, plain, pretty, size, span, table

STATES = ("pending", "running", "succeeded", "failed", "cancelled")
COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow"}
PAGE = 1000


@click.command
@click.option("--tool", default="", metavar="NAME", help="Only this tool's.")
@click.option("--state", type=click.Choice(STATES, case_sensitive=False), help="Only those in this state.")
@click.option("--failed", is_flag=True, help="The same as --state failed.")
@click.option(
    "--caller", default="", metavar="NAME", help="Only this caller's; others' need the group traces.all."
)
@click.option("--tool-call-id", default="", metavar="ID", help="Only that of this tool call.")
@click.option(
    "--label",
    "labels",
    type=label,
    metavar="KEY=VALUE",
    multiple=True,
    help="Only those with this label; repeatable.",
)
@click.option(
    "--limit", type=click.IntRange(min=1, max=100_000), default=20, show_default=True, help="How many."
)
@json_option
@click.pass_obj
def runs(
    session: Session,
    /,
    *,
    tool: str,
    caller: str,
    tool_call_id: str,
    state: str | None,
    failed: bool,
    limit: int,
    labels: tuple[tuple[str, str], ...],
) -> None:
    """Lists invocations, newest first."""
    from toolcell.v1 import trace_pb2, trace_service_pb2

    if failed and state not in (None, "failed"):
        raise CommandError(
            f"--failed and --state {state} exclude each other", exit_code=EXITS["usage"], hint="give one"
        )
    state = "failed" if failed else state
    number = trace_pb2.State.Value(f"STATE_{state.upper()}") if state else trace_pb2.STATE_UNSPECIFIED
    chosen = trace_service_pb2.InvocationFilter(
        tool=tool, caller=caller, tool_call_id=tool_call_id, state=number, labels=dict(labels)
    )
    found = _newest(session, chosen, limit)
    if session.as_json:
        show_json([as_data(invocation) for invocation in found])
    elif found:
        header = ("INVOCATION", "TIME", "TOOL", "OUTCOME", "DURATION", "CALLER")
        click.echo(table(header, [_row(invocation) for invocation in found]))
    else:
        click.echo("no invocation fits", err=True)


@click.command
@click.argument("invocation_id", metavar="[INVOCATION]", required=False)
@json_option
@click.pass_obj
def trace(session: Session, invocation_id: str | None) -> None:
    """Shows what happened during an invocation.

    Without its id, during the newest one.
    """
    from toolcell.cli.client import Client
    from toolcell.v1 import trace_service_pb2

    if invocation_id is None:
        newest = _newest(session, trace_service_pb2.InvocationFilter(), 1)
        if not newest:
            hint = "call a tool first: toolcell call TOOL"
            raise CommandError("there is no invocation yet", exit_code=EXITS["not found"], hint=hint)
        invocation_id = newest[0].invocation_id
    with Client(session) as client:
        request = trace_service_pb2.GetInvocationRequest(invocation_id=invocation_id)
        answer = client.ask(client.traces.GetInvocation, request)
    show_json(as_data(answer)) if session.as_json else click.echo("\n".join(_story(answer)))


def _newest(session: Session, chosen: Any, limit: int) -> list[Any]:
    """Fetches the newest invocations, page after page, at most `limit`."""
    from toolcell.cli.client import Client
    from toolcell.v1 import trace_service_pb2

    found: list[Any] = []
    request = trace_service_pb2.ListInvocationsRequest(filter=chosen, page_size=min(limit, PAGE))
    with Client(session) as client:
        for page in client.pages(client.traces.ListInvocations, request):
            found += page.invocations
            if len(found) >= limit:
                break
    return found[:limit]


def _outcome(invocation: Any) -> str:
    """Names the state, and for a failure its reason instead."""
    from toolcell.v1 import error_reason_pb2, trace_pb2

    if invocation.HasField("failure"):
        return error_reason_pb2.ErrorReason.Name(invocation.failure.reason).removeprefix("ERROR_REASON_")
    return trace_pb2.State.Name(invocation.state).removeprefix("STATE_")


def _took(invocation: Any) -> str:
    return span(invocation.duration.ToTimedelta().total_seconds()) if invocation.HasField("end_time") else ""


def _row(invocation: Any) -> tuple[str, ...]:
    when = moment(invocation.create_time.ToMicroseconds())
    return (
        invocation.invocation_id,
        when,
        invocation.tool,
        _outcome(invocation),
        _took(invocation),
        invocation.caller,
    )


def _story(answer: Any) -> list[str]:
    """Tells one invocation: its record, its events by the time since it came, what went in and out."""
    from toolcell.v1 import tool_pb2, trace_pb2

    record = answer.invocation
    begin = record.create_time.ToMicroseconds()
    state = trace_pb2.State.Name(record.state).removeprefix("STATE_")
    waited = record.start_time.ToMicroseconds() - begin if record.HasField("start_time") else 0
    facts = {
        "tool": record.tool,
        "state": state if not record.HasField("failure") else f"{state}: {_outcome(record)}",
        "message": record.failure.message,
        "executed": tool_pb2.Executed.Name(record.failure.executed).removeprefix("EXECUTED_")
        if record.HasField("failure")
        else "",
        "interrupted": "the server died while it ran" if record.interrupted else "",
        "time": moment(begin),
        "duration": _took(record)
        + (f", {span(waited / 1e6)} of it before a cell had it" if waited > 0 else ""),
        "used": _used(record),
        "isolation": f"level {record.isolation_level}" if record.HasField("start_time") else "no cell had it",
        "caller": f"{record.caller} (token {record.token_id})",
        "tool call id": record.tool_call_id,
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(record.labels.items())),
        "revision": record.revision,
        "trace": f"{record.trace_id}, span {record.span_id}",
        "parent span": record.parent_span_id,
    }
    story = [paint(plain(record.invocation_id), COLOURS.get(state, "white"))]
    story += [f"{name:<13} {plain(value)}" for name, value in facts.items() if value]
    if answer.events:
        story += ["", paint("events", "bright_black"), *(_event(event, begin) for event in answer.events)]
    if record.HasField("failure") and record.failure.details.fields:
        story += ["", paint("details", "bright_black"), pretty(as_data(record.failure.details))]
    for name, text in (("input", record.input_json), ("output", record.output_json)):
        if text:
            story += ["", paint(name, "bright_black"), _json(text)]
    return story


def _used(record: Any) -> str:
    cpu = record.cpu_time.ToTimedelta().total_seconds()
    words = [
        f"{span(cpu)} CPU" if cpu else "",
        f"{size(record.memory_peak_bytes)} memory" if record.memory_peak_bytes else "",
    ]
    return ", ".join(word for word in words if word)


def _event(event: Any, begin: int) -> str:
    body = as_data(event.body)
    after = (event.time.ToMicroseconds() - begin) / 1e6
    head = f"  {f'+{span(max(after, 0.0))}':>10}  {plain(event.kind):<9} "
    if event.kind == "exception":
        stack = "".join(f"\n{'':>24}{plain(line)}" for line in str(body.get("stack", "")).splitlines())
        return f"{head} {plain(str(body.get('type', '')))}: {plain(str(body.get('message', '')))}{stack}"
    if event.kind == "log":
        fields = " ".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in body.get("fields", {}).items()
        )
        words = (str(body.get("level", "")), str(body.get("message", "")), fields)
        return f"{head} {plain(' '.join(words).strip())}"
    if event.kind == "progress":
        return f"{head} {body.get('fraction', 0):4.0%} {plain(str(body.get('message', '')))}"
    if event.kind in ("stdout", "stderr"):
        return f"{head} {plain(str(body.get('text', '')))}"
    return f"{head} {plain(json.dumps(body, ensure_ascii=False))}"


def _json(text: str) -> str:
    """Indents JSON text; what is none (a refused call's input, say) is shown as it came."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return plain(text)
