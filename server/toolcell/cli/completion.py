"""The verb `completion`, and what is offered where a tool's name is wanted."""

import contextlib
from typing import TYPE_CHECKING, Final

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem  # imported when a shell asks

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_TOOLCELL_COMPLETE"
_SECONDS: Final = 0.5


@click.command
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Prints a script that completes verbs, options and the names of tools.

    For bash, put `eval "$(toolcell completion bash)"` into ~/.bashrc; for zsh the same with zsh into
    ~/.zshrc; for fish, `toolcell completion fish > ~/.config/fish/completions/toolcell.fish`.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise CommandError(f"no completion for {shell}", exit_code=EXITS["internal"], hint="use bash")
    click.echo(kind(context.find_root().command, {}, "toolcell", _VARIABLE).source())


def tool_names(context: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Offers the tools of the server that a command would speak to, if it answers within half a second."""
    from click.shell_completion import CompletionItem

    session = Session()
    for name, value in context.find_root().params.items():
        setattr(session, name, value)
    with contextlib.suppress(Exception):  # whatever is wrong: nobody wants to read that while typing
        return [
            CompletionItem(name, help=title or None)
            for name, title in _tools(session)
            if name.startswith(incomplete)
        ]
    return []


def _tools(session: Session) -> list[tuple[str, str]]:
    from toolcell.cli.client import Client
    from toolcell.v1 import tool_service_pb2

    with Client(session) as client:
        request = tool_service_pb2.ListToolsRequest(page_size=1000)
        answer = client.ask(client.tools.ListTools, request, timeout=_SECONDS)
        return [(tool.name, tool.title) for tool in answer.tools]
