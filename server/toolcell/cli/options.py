"""Options that several verbs share, and how an answer is printed as JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from toolcell.cli.completion import tool_names
from toolcell.cli.session import Session
from toolcell.cli.text import pretty
from toolcell.model import quantity

STATES = ("pending", "running", "succeeded", "failed", "cancelled")
"""Where an invocation or a job may stand, in the words of the command line."""
LONGEST = 3650 * 86_400
"""Ten years, in seconds."""


def _keep(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.find_object(Session).as_json = value  # type: ignore[union-attr] # main() puts one there


json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_keep,
    is_eager=True,
    help="Print the API's own answer as JSON; errors too, on stderr.",
)


def seconds(text: str) -> float:
    """Reads a length of time above 0, in seconds: `90s`, `15m`, `12h`, `30d`, or a bare number."""
    try:
        length = quantity.seconds(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from None
    if not 0 < length <= LONGEST:
        raise click.BadParameter("must be more than 0, and at most 3650d")
    return length


def label(text: str) -> tuple[str, str]:
    """Reads a label, `key=value`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not key=value.")
    return key, value


def listing_options(group: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a verb the options that choose records; those of other callers need the grant group."""
    everybody = f"Only this caller's; others' need the group {group}."
    options = (
        click.option(
            "--tool", default="", metavar="NAME", shell_complete=tool_names, help="Only this tool's."
        ),
        click.option(
            "--state", type=click.Choice(STATES, case_sensitive=False), help="Only those in this state."
        ),
        click.option("--caller", default="", metavar="NAME", help=everybody),
        click.option("--tool-call-id", default="", metavar="ID", help="Only that of this tool call."),
        click.option(
            "--label",
            "labels",
            type=label,
            metavar="KEY=VALUE",
            multiple=True,
            help="Only those with this label; repeatable.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1, max=100_000),
            default=20,
            show_default=True,
            help="How many.",
        ),
        json_option,
    )

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return give


def show_json(value: Any) -> None:
    """Prints JSON data on stdout: indented on a terminal, else on one line."""
    click.echo(pretty(value) if sys.stdout.isatty() else json.dumps(value, ensure_ascii=False))


def word_of(enum: Any, number: int, prefix: str) -> str:
    """Returns the name of an enum's value without its prefix; the number itself for one of a newer server."""
    return enum.Name(number).removeprefix(prefix) if number in enum.values() else str(number)


def show_event(event: Any) -> None:
    """Prints an event as JSON on one line, on a terminal too."""
    click.echo(json.dumps(as_data(event), ensure_ascii=False))


def as_data(message: Any) -> Any:
    """Returns a protobuf message as JSON data with the contract's own field names."""
    from google.protobuf import json_format

    return json_format.MessageToDict(message, preserving_proto_field_name=True)
