"""The verb `db`: backs the database up and checks it, with or without a server running."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import json_option, show_json
from toolcell.cli.servers import settings_of
from toolcell.cli.session import Session
from toolcell.cli.text import paint, plain, size

if TYPE_CHECKING:
    from toolcell.store.interface import StoreUnusable

state_option = click.option(
    "--state", metavar="DIR", help="Folder of the database. Default: as for a server that starts here."
)


@click.group
def db() -> None:
    """Backs the database up, or checks it.

    Works on the state folder itself, also while a server runs; it never writes there.
    """


@db.command
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@state_option
@json_option
@click.pass_obj
def backup(session: Session, file: Path, state: str | None) -> None:
    """Copies the database to FILE, which must not exist.

    The copy is of one moment, whole and checked, while the server goes on. It holds what callers sent: keep
    it as private as the state folder.
    """
    from toolcell.store.backup import copy
    from toolcell.store.interface import StoreUnusable

    directory = _directory(state)
    try:
        count = copy(directory, file, _progress)
    except FileExistsError:
        hint = "name another file: a backup never replaces one"
        raise CommandError(f"{file} exists", exit_code=EXITS["usage"], hint=hint) from None
    except StoreUnusable as error:
        raise _fault(error) from None
    finally:
        _clear()
    restore = _restore(directory, file)
    if session.as_json:
        show_json({"file": str(file), "size_bytes": count, "restore": restore})
        return
    click.echo(f"{plain(str(file))}: {size(count)}, checked", err=True)
    click.echo(f"to restore it, stop the server, then: {plain(restore)}", err=True)


@db.command
@click.option("--full", is_flag=True, help="Compare every index with its table too; slower.")
@state_option
@json_option
@click.pass_obj
def check(session: Session, *, full: bool, state: str | None) -> int:
    """Reads the whole database and says whether it is sound.

    Exit code 1 means that it is damaged or of another version, 5 that there is none.
    """
    from toolcell.store.backup import examine
    from toolcell.store.interface import StoreUnusable
    from toolcell.store.migrations import NAMES

    try:
        found = examine(_directory(state), is_thorough=full)
    except StoreUnusable as error:
        raise _fault(error) from None
    is_known = found.report.schema in NAMES
    is_sound = is_known and not found.complaints
    if session.as_json:
        data = asdict(found.report) | {"path": str(found.report.path)}
        more = {
            "free_bytes": found.free_bytes,
            "spool_bytes": found.spool_bytes,
            "complaints": found.complaints,
        }
        show_json(data | more | {"is_schema_known": is_known, "is_sound": is_sound})
        return EXITS["ok" if is_sound else "tool failed"]
    words = "sound" if is_sound else "not sound"
    click.echo(f"{paint(words, 'green' if is_sound else 'red')}  {plain(str(found.report.path))}")
    schema = found.report.schema or "none"
    click.echo(f"schema    {plain(schema)}{'' if is_known else '  (not of this version)'}")
    click.echo(f"size      {size(found.report.size_bytes)}, of which {size(found.free_bytes)} hold nothing")
    click.echo(f"spool     {size(found.spool_bytes)}")
    for complaint in found.complaints:
        click.echo(f"damage    {plain(complaint)}")
    if found.complaints:
        click.echo("restore a backup, or move the database away to start anew", err=True)
    return EXITS["ok" if is_sound else "tool failed"]


def _directory(state: str | None) -> Path:
    return settings_of(None, {"state": state}, is_dev=True).state


def _restore(directory: Path, file: Path) -> str:
    """Returns the commands that put a backup into the place of the database.

    The old log must go: SQLite would apply it.
    """
    database = str(directory / "toolcell.db")
    old = shlex.join([f"{database}-wal", f"{database}-shm"])
    spool = f"{shlex.quote(str(directory))}/spool-*"
    return f"rm -f {old} {spool} && cp {shlex.join([str(file), database])}"


def _fault(error: "StoreUnusable") -> CommandError:
    is_missing = error.message == "There is no database"
    code = EXITS["not found" if is_missing else "tool failed"]
    return CommandError(error.message, exit_code=code, hint=error.remedy, where=[error.where])


def _progress(fraction: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{fraction:6.1%} copied")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
