"""The verb `call`."""

import sys

import click

from toolcell.cli.errors import EXITS
from toolcell.cli.options import as_data, json_option, seconds, show_json
from toolcell.cli.outcomes import exit_code, show_outcome
from toolcell.cli.questions import given, question_options, with_words
from toolcell.cli.session import Session
from toolcell.cli.text import plain, span


@click.command
@question_options
@click.option(
    "--timeout",
    type=seconds,
    metavar="TIME",
    help="Gives up, and has the handler killed, after this time. Default: the tool's.",
)
@json_option
@click.pass_obj
def call(
    session: Session,
    tool: str,
    arguments: str | None,
    words: tuple[str, ...],
    tool_call_id: str,
    labels: tuple[tuple[str, str], ...],
    timeout: float | None,
) -> int:
    """Calls a tool and prints its output.

    \b
    toolcell call search_customer -a query=ada@example.com
    toolcell call search_customer '{"query": "cus_0001"}'
    toolcell call search_customer @arguments.json
    echo '{"query": "cus_0001"}' | toolcell call search_customer -

    Exit code 1 means that the tool ran and failed, 7 that it ran out of time, 3 that its arguments were
    rejected.
    """  # noqa: D301 # click's own mark for "keep these lines as they are"
    from toolcell.cli.client import Client
    from toolcell.v1 import tool_service_pb2

    text = given(arguments)
    with Client(session) as client:
        text = with_words(client, tool, text, words)
        request = tool_service_pb2.InvokeRequest(
            tool=tool, arguments_json=text, tool_call_id=tool_call_id, labels=dict(labels)
        )
        answer = client.ask(client.tools.Invoke, request, timeout=timeout)
    if session.as_json:
        show_json(as_data(answer))
        return exit_code(answer)
    show_outcome(answer, tool)
    if sys.stdout.isatty():
        took = span(answer.duration.ToTimedelta().total_seconds())
        click.echo(f"{plain(answer.invocation_id)}  {took}", err=True)
    return EXITS["ok"]
