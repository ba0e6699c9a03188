"""The verb `tail`."""

import json
import sys
from typing import Any, Final

import click

from toolcell.cli.events import told
from toolcell.cli.options import as_data, json_option, label, show_event
from toolcell.cli.session import Session
from toolcell.cli.streams import follow
from toolcell.cli.text import moment, paint, plain

_COLOURS: Final = {"stderr": "yellow", "exception": "red", "violation": "red", "truncated": "yellow"}
_ENDS: Final = {"SUCCEEDED": "green", "FAILED": "red", "CANCELLED": "yellow"}
_INDENT: Final = 20


@click.command
@click.option("--tool", default="", metavar="NAME", help="Only this tool's.")
@click.option("--failed", is_flag=True, help="Only the ends of invocations that failed or were refused.")
@click.option(
    "--caller", default="", metavar="NAME", help="Only this caller's; others' need the group traces.all."
)
@click.option("--job", "job_id", default="", metavar="JOB", help="Only the attempts of this job.")
@click.option("--trace-id", default="", metavar="ID", help="Only those of this W3C trace.")
@click.option("--tool-call-id", default="", metavar="ID", help="Only those of this tool call.")
@click.option(
    "--label",
    "labels",
    type=label,
    metavar="KEY=VALUE",
    multiple=True,
    help="Only those with this label; repeatable.",
)
@click.option(
    "--from",
    "cursor",
    default="",
    metavar="CURSOR",
    help="Begins after this cursor, 0 for the oldest event that is kept. Default: now.",
)
@json_option
@click.pass_obj
def tail(
    session: Session,
    /,
    *,
    tool: str,
    failed: bool,
    caller: str,
    job_id: str,
    trace_id: str,
    tool_call_id: str,
    labels: tuple[tuple[str, str], ...],
    cursor: str,
) -> None:
    """Shows events as they happen, until Ctrl-C.

    Off a terminal, or with --json, an event is one JSON object a line, with the cursor that resumes after it.
    When the server restarts, the stream goes on where it was.
    """
    from toolcell.v1 import trace_service_pb2

    chosen = trace_service_pb2.EventFilter(
        tool=tool,
        only_failed=failed,
        caller=caller,
        job_id=job_id,
        trace_id=trace_id,
        tool_call_id=tool_call_id,
        labels=dict(labels),
    )
    show = _show_json if session.as_json or not sys.stdout.isatty() else _show
    for message in follow(session, chosen, cursor):
        show(message)


def _show_json(message: Any) -> None:
    if message.HasField("gap"):
        click.echo(json.dumps({"gap": as_data(message.gap)}))
    for event in message.events:
        show_event(event)


def _show(message: Any) -> None:
    if message.HasField("gap"):
        lost = (
            f"events {message.gap.from_sequence} to {message.gap.to_sequence} are gone: retention took them"
        )
        click.echo(paint(lost, "yellow", err=True), err=True)
    for event in message.events:
        click.echo(_line(event))


def _line(event: Any) -> str:
    state = event.body["state"] if event.kind == "ended" else ""
    colour = _ENDS.get(state) or _COLOURS.get(event.kind) or "white"
    when = paint(moment(event.time.ToMicroseconds()), "bright_black")
    kind = paint(f"{plain(event.kind):<9}", colour)
    return told(event, f"{when}  {plain(event.invocation_id)}  {plain(event.tool)}  {kind}", _INDENT)
