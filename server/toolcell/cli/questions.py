"""What a call or a job is asked with: the tool, its arguments in any of four ways, labels."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from toolcell.cli.arguments import ArgumentError, typed
from toolcell.cli.completion import tool_names
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import label

if TYPE_CHECKING:
    from toolcell.cli.client import Client  # imports grpc: every --help would pay for it

INPUT_BYTES = 4 << 20
"""The most that is read from a file or stdin: no server takes more."""

OPTIONS = (
    click.argument("tool", shell_complete=tool_names),
    click.argument("arguments", metavar="[JSON | @FILE | -]", required=False),
    click.option(
        "-a",
        "words",
        metavar="KEY=VALUE",
        multiple=True,
        help="An argument, typed by the tool's schema; repeatable.",
    ),
    click.option(
        "--tool-call-id", default="", metavar="ID", help="The model's id of this tool call, for the trace."
    ),
    click.option(
        "--label",
        "labels",
        type=label,
        metavar="KEY=VALUE",
        multiple=True,
        help="A label to find it by; repeatable.",
    ),
)


def question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb the words that say which tool is asked, and what."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def with_words(client: "Client", tool: str, text: str, words: tuple[str, ...]) -> str:
    """Returns the JSON text of the arguments with the -a words; asks the server for the tool's schema."""
    from toolcell.v1 import tool_service_pb2

    if not words:
        return text
    question = tool_service_pb2.GetToolRequest(name=tool)
    schema = json.loads(client.ask(client.tools.GetTool, question).tool.input_schema_json)
    return json.dumps(_merged(text, words, schema), ensure_ascii=False)


def given(word: str | None) -> str:
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
