"""The verbs `runs` and `trace`."""

from typing import Any

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, json_option, listing_options, show_json
from toolcell.cli.session import Session
from toolcell.cli.story import row, story
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
    show_json(as_data(answer)) if session.as_json else click.echo("\n".join(story(answer)))


def _newest(session: Session, chosen: Any, limit: int) -> list[Any]:
    """Fetches the newest invocations, page after page, at most `limit`."""
    from toolcell.cli.client import Client
    from toolcell.v1 import trace_service_pb2

    request = trace_service_pb2.ListInvocationsRequest(filter=chosen)
    with Client(session) as client:
        return client.newest(client.traces.ListInvocations, request, "invocations", limit)
