"""The verbs `runs` and `trace`."""

from typing import Any

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, json_option, listing_options, show_event, show_json
from toolcell.cli.session import Session
from toolcell.cli.story import event_line, row, story
from toolcell.cli.streams import follow
from toolcell.cli.text import table


@click.command
@click.option("--failed", is_flag=True, help="The same as --state failed.")
@click.option("--job", "job_id", default="", metavar="JOB", help="Only the attempts of this job.")
@listing_options("traces.all")
@click.pass_obj
def runs(
    session: Session,
    /,
    *,
    tool: str,
    caller: str,
    tool_call_id: str,
    job_id: str,
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
        tool=tool, caller=caller, tool_call_id=tool_call_id, job_id=job_id, state=number, labels=dict(labels)
    )
    found = _newest(session, chosen, limit)
    if session.as_json:
        show_json([as_data(invocation) for invocation in found])
    elif found:
        header = ("INVOCATION", "TIME", "TOOL", "OUTCOME", "DURATION", "CALLER")
        click.echo(table(header, [row(invocation) for invocation in found]))
    else:
        click.echo("no invocation fits", err=True)


@click.command
@click.argument("invocation_id", metavar="[INVOCATION]", required=False)
@click.option(
    "--follow", "is_followed", is_flag=True, help="Shows events as they happen, until it has ended."
)
@json_option
@click.pass_obj
def trace(session: Session, invocation_id: str | None, is_followed: bool) -> None:
    """Shows what happened during an invocation.

    Without its id, during the newest one. With --follow and --json, an event is one JSON object a line.
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
        if is_followed and (session.as_json or not answer.invocation.HasField("end_time")):
            _follow(session, answer.invocation)
            if session.as_json:
                return
            answer = client.ask(client.traces.GetInvocation, request)
            del answer.events[:]  # they have been shown
    show_json(as_data(answer)) if session.as_json else click.echo("\n".join(story(answer)))


def _follow(session: Session, record: Any) -> None:
    """Prints an invocation's events from its start to its end."""
    from toolcell.v1 import trace_service_pb2

    chosen = trace_service_pb2.EventFilter(invocation_id=record.invocation_id)
    begin = record.create_time.ToMicroseconds()
    for message in follow(session, chosen, "0", is_endless=not record.HasField("end_time")):
        for event in message.events:
            show_event(event) if session.as_json else click.echo(event_line(event, begin))
        if message.events and message.events[-1].kind == "ended":
            return


def _newest(session: Session, chosen: Any, limit: int) -> list[Any]:
    """Fetches the newest invocations, page after page, at most `limit`."""
    from toolcell.cli.client import Client
    from toolcell.v1 import trace_service_pb2

    request = trace_service_pb2.ListInvocationsRequest(filter=chosen)
    with Client(session) as client:
        return client.newest(client.traces.ListInvocations, request, "invocations", limit)
