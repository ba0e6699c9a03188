"""The verbs `tools`, `manifest` and `reload`."""

import json
import sys
from typing import Any

import click

from toolcell.cli.completion import tool_names
from toolcell.cli.errors import EXITS
from toolcell.cli.options import as_data, json_option, show_json, word_of
from toolcell.cli.session import Session
from toolcell.cli.text import lines, paint, plain, pretty, size, span, table

DIALECTS = (
    "json",
    "mcp",
    "openai-chat",
    "openai-chat-strict",
    "openai-responses",
    "openai-responses-strict",
    "anthropic",
    "anthropic-strict",
    "gemini",
    "gemini-schema",
)
"""What help names; the server decides, and may know more."""

BYTES_PER_TOKEN = 4
"""Of JSON and English, a rule of thumb."""


@click.command
@click.argument("name", required=False, shell_complete=tool_names)
@json_option
@click.pass_obj
def tools(session: Session, name: str | None) -> None:
    """Lists the tools you may call, or shows one."""
    from toolcell.cli.client import Client
    from toolcell.v1 import tool_service_pb2

    with Client(session) as client:
        if name is not None:
            tool = client.ask(client.tools.GetTool, tool_service_pb2.GetToolRequest(name=name)).tool
            show_json(as_data(tool)) if session.as_json else click.echo("\n".join(_card(tool)))
            return
        pages = client.pages(client.tools.ListTools, tool_service_pb2.ListToolsRequest(page_size=1000))
        found = [tool for page in pages for tool in page.tools]
    if session.as_json:
        show_json([as_data(tool) for tool in found])
    elif found:
        rows = [(tool.name, tool.title, _state(tool), str(tool.isolation_level)) for tool in found]
        click.echo(table(("NAME", "TITLE", "STATE", "LEVEL"), rows))
    else:
        click.echo("no tool: this token may call none, or the server has none", err=True)


@click.command
@click.argument("names", nargs=-1, metavar="[TOOL]...", shell_complete=tool_names)
@click.option(
    "--dialect",
    "--format",
    default="json",
    show_default=True,
    help=f"Whose form: {', '.join(DIALECTS)}; openai means openai-chat.",
)
@click.option("--compact", is_flag=True, help="Leave out what a model can do without.")
@click.option(
    "--stats", is_flag=True, help="Print the bytes of each tool, and about how many tokens they are."
)
@json_option
@click.pass_obj
def manifest(session: Session, names: tuple[str, ...], dialect: str, compact: bool, stats: bool) -> None:
    """Prints the tools in a provider's own form.

    It is ready to send to a model.
    stderr names the tools that had to be simplified or left out and why, and the
    provider's limits that a request with all of them would exceed.
    """
    from toolcell.cli.client import Client
    from toolcell.v1 import tool_service_pb2

    request = tool_service_pb2.GetManifestRequest(dialect=dialect, tools=names, compact=compact)
    with Client(session) as client:
        pages = list(client.pages(client.tools.GetManifest, request))
    text = "[" + ",".join(inner for page in pages if (inner := page.manifest_json[1:-1])) + "]"
    verdicts = [verdict for page in pages for verdict in page.verdicts]
    if session.as_json:
        show_json(
            {
                "manifest_json": text,
                "verdicts": [as_data(verdict) for verdict in verdicts],
                "limits": list(pages[0].limits),
            }
        )
        return
    if stats:
        click.echo(_stats(json.loads(text)))
    else:
        click.echo(pretty(json.loads(text)) if sys.stdout.isatty() else text)
    for verdict in verdicts:
        if verdict.fit != tool_service_pb2.MANIFEST_FIT_OK:
            fit = word_of(tool_service_pb2.ManifestFit, verdict.fit, "MANIFEST_FIT_")
            words = fit.lower().replace("_", " ")
            click.echo(f"{plain(verdict.tool)}: {words}: {plain('; '.join(verdict.notes))}", err=True)
    for sentence in pages[0].limits:
        click.echo(plain(sentence), err=True)


@click.command
@json_option
@click.pass_obj
def reload(session: Session) -> int:
    """Has the server read its files anew.

    These are contracts, policies and handlers. What is broken replaces nothing: a tool that was served goes
    on as it was. Exit code 1 means that something is broken.
    """
    from toolcell.cli.client import Client
    from toolcell.v1 import admin_service_pb2

    with Client(session) as client:
        answer = client.ask(client.admin.ReloadTools, admin_service_pb2.ReloadToolsRequest(), timeout=60)
    if session.as_json:
        show_json(as_data(answer))
    else:
        for what in ("added", "changed", "removed"):
            for name in getattr(answer, what):
                click.echo(f"{what:<8} {plain(name)}")
        for problem in answer.problems:
            where = f"{problem.location}: " if problem.location else ""
            click.echo(
                plain(f"problem  {problem.tool or '-'}: {where}{problem.message} ({problem.cause})"), err=True
            )
            served = f" Revision {problem.served_revision} is served." if problem.served_revision else ""
            click.echo(plain(f"         {problem.remedy}{served}"), err=True)
    return EXITS["tool failed"] if answer.problems else EXITS["ok"]


def _stats(tools: list[Any]) -> str:
    """Lays out what each tool costs; a model's tokenizer counts its own way, so tokens are an estimate."""
    sizes = [
        (
            tool.get("function", tool)["name"],
            len(json.dumps(tool, ensure_ascii=False, separators=(",", ":")).encode()),
        )
        for tool in tools
    ]
    sizes.append(("all", sum(size for _, size in sizes)))
    rows = [(name, f"{count:,}", f"{-(-count // BYTES_PER_TOKEN):,}") for name, count in sizes]
    return table(("NAME", "BYTES", "ABOUT TOKENS"), rows)


def _state(tool: Any) -> str:
    return tool.unavailability.cause if tool.HasField("unavailability") else "available"


def _card(tool: Any) -> list[str]:
    """Lays one tool out: what the model reads, what bounds it, why it cannot run, its schemas."""
    from toolcell.v1 import tool_pb2

    level = word_of(tool_pb2.IdempotencyLevel, tool.idempotency_level, "IDEMPOTENCY_LEVEL_")
    facts = {
        "state": _state(tool),
        "idempotency": level,
        "timeout": span(tool.timeout.ToTimedelta().total_seconds()),
        "output limit": size(tool.output_limit_bytes),
        "isolation": f"level {tool.isolation_level}",
        "method": tool.method_path,
        "revision": tool.revision,
    }
    why = tool.unavailability
    if tool.HasField("unavailability"):
        facts |= {"why": why.message, "where": why.location, "remedy": why.remedy}
    title = f"  {plain(tool.title)}" if tool.title else ""
    card = [paint(plain(tool.name), "cyan") + title, "", *lines(tool.description), ""]
    card += [f"{name:<13} {plain(value)}" for name, value in facts.items() if value]
    for name, text in (("input", tool.input_schema_json), ("output", tool.output_schema_json)):
        if text:
            card += ["", paint(name, "bright_black"), pretty(json.loads(text))]
    return card
