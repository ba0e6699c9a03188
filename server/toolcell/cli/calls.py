"""The verb `call`."""

import json
import sys
from typing import Any

import click

from toolcell.cli.arguments import ArgumentError, typed
from toolcell.cli.completion import tool_names
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, json_option, label, seconds, show_json, word_of
from toolcell.cli.session import Session
from toolcell.cli.text import plain, pretty, span

INPUT_BYTES = 4 << 20
"""The most that is read from a file or stdin: no server takes more."""


@click.command
@click.argument("tool", shell_complete=tool_names)
@click.argument("arguments", metavar="[JSON | @FILE | -]", required=False)
@click.option(
    "-a",
    "words",
    metavar="KEY=VALUE",
    multiple=True,
    help="An argument, typed by the tool's schema; repeatable.",
)
@click.option(
    "--tool-call-id", default="", metavar="ID", help="The model's id of this tool call, for the trace."
)
@click.option(
    "--label",
    "labels",
    type=label,
    metavar="KEY=VALUE",
    multiple=True,
    help="Labels the invocation; repeatable.",
)
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

    text = _given(arguments)
    with Client(session) as client:
        if words:
            question = tool_service_pb2.GetToolRequest(name=tool)
            schema = json.loads(client.ask(client.tools.GetTool, question).tool.input_schema_json)
            text = json.dumps(_merged(text, words, schema), ensure_ascii=False)
        request = tool_service_pb2.InvokeRequest(
            tool=tool, arguments_json=text, tool_call_id=tool_call_id, labels=dict(labels)
        )
        answer = client.ask(client.tools.Invoke, request, timeout=timeout)
    if session.as_json:
        show_json(as_data(answer))
        return _exit_code(answer)
    return _show(answer, tool)


def _given(word: str | None) -> str:
    """Returns the JSON text of the arguments: the word itself, a file's content or stdin's."""
    if word is None or (word != "-" and not word.startswith("@")):
        return word or ""
    try:
        with click.open_file("-" if word == "-" else word[1:], encoding="utf-8") as file:
            text: str = file.read(INPUT_BYTES + 1)
    except OSError as error:
        hint = "@FILE reads the arguments from a file"
        raise CommandError(f"{word[1:]}: {error.strerror}", exit_code=EXITS["usage"], hint=hint) from None
    except UnicodeDecodeError:
        hint = "write the arguments as JSON in UTF-8"
        raise CommandError(
            f"{word}: is not UTF-8 text", exit_code=EXITS["invalid arguments"], hint=hint
        ) from None
    if len(text) > INPUT_BYTES:
        raise CommandError(
            f"{word} is larger than 4 MiB", exit_code=EXITS["invalid arguments"], hint="send less"
        )
    return text.strip()


def _merged(text: str, words: tuple[str, ...], schema: dict[str, Any]) -> dict[str, Any]:
    """Adds the -a words to the JSON object in `text`."""
    try:
        base = json.loads(text or "{}")
    except (ValueError, RecursionError):
        base = None
    if not isinstance(base, dict):
        hint = "with -a, the arguments are a JSON object or absent"
        raise CommandError("the arguments are no JSON object", exit_code=EXITS["usage"], hint=hint)
    try:
        return typed(words, schema, base)
    except ArgumentError as error:
        hint = "write KEY=VALUE: -a query=ada@example.com"
        raise CommandError(str(error), exit_code=EXITS["usage"], hint=hint) from None


def _exit_code(answer: Any) -> int:
    from toolcell.v1 import error_reason_pb2

    if answer.WhichOneof("outcome") != "failure":
        return EXITS["ok"]
    is_late = answer.failure.reason == error_reason_pb2.ERROR_REASON_HANDLER_TIMEOUT
    return EXITS["timeout"] if is_late else EXITS["tool failed"]


def _show(answer: Any, tool: str) -> int:
    """Prints an output on stdout; raises a failure as a CommandError, with the way to its trace."""
    from toolcell.v1 import error_reason_pb2

    if answer.WhichOneof("outcome") == "failure":
        failure = answer.failure
        details = {key: value for key, value in as_data(failure.details).items() if value != tool}
        raise CommandError(
            failure.message,
            exit_code=_exit_code(answer),
            hint=f"toolcell trace {answer.invocation_id} shows what happened",
            where=[f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in details.items()],
            reason=word_of(error_reason_pb2.ErrorReason, failure.reason, "ERROR_REASON_"),
        )
    is_terminal = sys.stdout.isatty()
    click.echo(pretty(json.loads(answer.output_json)) if is_terminal else answer.output_json)
    if is_terminal:
        took = span(answer.duration.ToTimedelta().total_seconds())
        click.echo(f"{plain(answer.invocation_id)}  {took}", err=True)
    return EXITS["ok"]
