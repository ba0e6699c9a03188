"""The verb `token`: create, list and revoke."""

import time
from pathlib import Path
from typing import Any

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, json_option, seconds, show_json
from toolcell.cli.session import Session
from toolcell.cli.text import moment, plain, table
from toolcell.model.caller import GROUPS


@click.group
def token() -> None:
    """Creates, lists and revokes tokens.

    Needs a token with the group admin.
    """


@token.command
@click.option(
    "--caller", required=True, metavar="NAME", help="Whom the token stands for; records belong to the caller."
)
@click.option(
    "--group",
    "groups",
    type=click.Choice(GROUPS),
    multiple=True,
    required=True,
    help="What it may do; repeatable.",
)
@click.option(
    "--tool",
    "tools",
    metavar="PATTERN",
    multiple=True,
    help="Which tools it may call, such as 'search_*'; repeatable.",
)
@click.option(
    "--ttl",
    type=seconds,
    metavar="TIME",
    help="How long it lasts, such as 12h or 30d. Default: until it is revoked.",
)
@click.option("--note", default="", help="What it is for.")
@click.option(
    "--state",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Write into the state directory of a server that is not running, instead of asking one.",
)
@click.pass_obj
def create(
    session: Session,
    caller: str,
    groups: tuple[str, ...],
    tools: tuple[str, ...],
    ttl: float | None,
    note: str,
    directory: Path | None,
) -> None:
    """Creates a token and prints it on stdout.

    It is shown this once: keep it in a file that only its user may read.
    """
    if "invoke" in groups and not tools:
        hint = "--tool 'search_*' grants some, --tool '*' every tool"
        raise CommandError("the group invoke needs at least one --tool", exit_code=EXITS["usage"], hint=hint)
    if directory is not None:
        click.echo(_offline(directory, caller, groups, tools, note, ttl))
        return
    from toolcell.cli.client import Client
    from toolcell.v1 import admin_pb2, admin_service_pb2

    grants = admin_pb2.Grants(groups=groups, tools=tools)
    request = admin_service_pb2.CreateTokenRequest(caller=caller, note=note, grants=grants)
    if ttl is not None:
        request.ttl.FromNanoseconds(int(ttl * 1e9))
    with Client(session) as client:
        answer = client.ask(client.admin.CreateToken, request)
    click.echo(answer.bearer)
    click.echo(f"token {plain(answer.token.token_id)} of {plain(caller)}; it is not shown again", err=True)


@token.command(name="list")
@json_option
@click.pass_obj
def list_(session: Session) -> None:
    """Lists tokens, newest first; never their secrets."""
    from toolcell.cli.client import Client
    from toolcell.v1 import admin_service_pb2

    with Client(session) as client:
        pages = client.pages(client.admin.ListTokens, admin_service_pb2.ListTokensRequest(page_size=1000))
        found = [each for page in pages for each in page.tokens]
    if session.as_json:
        show_json([as_data(each) for each in found])
        return
    header = ("TOKEN", "CALLER", "GROUPS", "TOOLS", "CREATED", "STATE", "NOTE")
    click.echo(table(header, [_row(each) for each in found]))


@token.command
@click.argument("token_id", metavar="TOKEN")
@json_option
@click.pass_obj
def revoke(session: Session, token_id: str) -> None:
    """Revokes a token, at once and for good. TOKEN is its id, as `toolcell token list` shows it."""
    from toolcell.cli.client import Client
    from toolcell.v1 import admin_service_pb2

    with Client(session) as client:
        request = admin_service_pb2.RevokeTokenRequest(token_id=token_id)
        answer = client.ask(client.admin.RevokeToken, request)
    if session.as_json:
        show_json(as_data(answer.token))
        return
    click.echo(f"token {plain(answer.token.token_id)} of {plain(answer.token.caller)} is revoked", err=True)


def _offline(
    directory: Path,
    caller: str,
    groups: tuple[str, ...],
    tools: tuple[str, ...],
    note: str,
    ttl: float | None,
) -> str:
    from toolcell import app, rooms
    from toolcell.model.caller import Grants
    from toolcell.model.errors import CallerFault, PlatformFault

    grants = Grants(frozenset(groups), tools)
    try:
        return app.create_token_offline(directory, caller, grants, note=note, ttl_seconds=ttl)
    except rooms.StartError as error:
        hint = "while a server runs, leave --state away and ask the server"
        raise CommandError(str(error), exit_code=EXITS["usage"], hint=hint) from None
    except PlatformFault as error:
        hint = "`toolcell doctor` looks at the disk and the database"
        raise CommandError(
            error.message, exit_code=EXITS["server unreachable"], hint=hint, reason=error.reason
        ) from None
    except CallerFault as error:
        where = [f"{violation.field}: {violation.description}" for violation in error.violations]
        raise CommandError(
            "the request is rejected",
            exit_code=EXITS["invalid arguments"],
            hint="correct what is named above",
            where=where,
            reason=error.reason,
        ) from None


def _row(each: Any) -> tuple[str, ...]:
    return (
        each.token_id,
        each.caller,
        ",".join(each.grants.groups),
        ",".join(each.grants.tools),
        moment(each.create_time.ToMicroseconds()),
        _state(each),
        each.note,
    )


def _state(each: Any) -> str:
    if each.HasField("revoke_time"):
        return "revoked"
    if not each.HasField("expire_time"):
        return "valid"
    end = each.expire_time.ToMicroseconds()
    return "expired" if end <= time.time() * 1e6 else f"valid until {moment(end)}"
