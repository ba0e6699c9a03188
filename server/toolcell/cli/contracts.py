"""The verb `check`: contracts held against style, callers of before, and what models were shown."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from toolcell.cli import buf
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import json_option, show_json
from toolcell.cli.session import Session
from toolcell.cli.text import plain, table

LOCK: Final = "toolcell.lock"
_MARKS: Final = {"OK": "ok", "SIMPLIFIED": "simplified", "LEFT_OUT": "left out"}


@click.command
@click.option("--protos", default="protos", show_default=True, metavar="DIR", help="Folder of the contracts.")
@click.option("--against", metavar="REF", help="Hold callers of a git ref, or of an image's file, unbroken.")
@click.option("--write", is_flag=True, help=f"Take what models are shown now into {LOCK}.")
@json_option
@click.pass_obj
def check(session: Session, protos: str, against: str | None, write: bool) -> int:
    """Checks the contracts of this folder, without a server.

    It compiles them, says how each tool fits each dialect, runs buf lint, and with --against also buf
    breaking. toolcell.lock, to be committed, remembers what models are shown: an edit that changes it is
    told. Exit code 1 means that something is wrong or changed.
    """
    folder = Path(protos)
    if not folder.is_dir():
        hint = "start in a workspace, or name the folder with --protos"
        raise CommandError(f"there is no folder {protos}", exit_code=EXITS["usage"], hint=hint)
    found = _examine(folder, against, is_written=write)
    if session.as_json:
        show_json(found)
    else:
        _show(found)
    is_wrong = any(found[part] for part in ("problems", "lint", "breaking", "changes"))
    return EXITS["tool failed"] if is_wrong else EXITS["ok"]


def _examine(protos: Path, against: str | None, *, is_written: bool) -> dict[str, Any]:
    """Returns problems, verdicts, notes, limits, buf's complaints, and what models are shown differently."""
    from toolcell.contracts import dialects, fingerprints
    from toolcell.contracts.catalog import Catalog

    with tempfile.TemporaryDirectory(prefix="toolcell-check-") as no_handlers:
        catalog = Catalog(protos, Path(no_handlers), isolation_level=0)
        asyncio.run(catalog.load())
    snapshot = catalog.snapshot
    problems = [it for it in snapshot.problems if it.cause in ("CONTRACT_INVALID", "NAME_CONFLICT")]
    entries = fingerprints.offered(snapshot.entries.values())
    rendered = {
        name: {entry.tool.name: dialect.render(entry) for entry in entries}
        for name, dialect in dialects.DIALECTS.items()
    }
    return {
        "problems": [f"{it.where}: {it.message} {it.remedy}" for it in problems],
        "verdicts": {
            entry.tool.name: {name: _MARKS[tools[entry.tool.name].fit] for name, tools in rendered.items()}
            for entry in entries
        },
        "notes": [
            f"{tool}, {name}: {note}"
            for name, tools in rendered.items()
            for tool, it in tools.items()
            for note in it.notes
        ],
        "limits": [
            f"{name}: {sentence}"
            for name, tools in rendered.items()
            for sentence in dialects.broken_limits(dialects.DIALECTS[name], tools.values())
        ],
        **_buf(protos, against),
        "changes": _changes(fingerprints.lock(entries), is_written=is_written),
    }


def _buf(protos: Path, against: str | None) -> dict[str, Any]:
    program = buf.program()
    if program is None:
        hint = "install it (`pip install buf-bin`), so that style and breaking changes are looked at"
        raise CommandError("buf is not installed", exit_code=EXITS["usage"], hint=hint)
    with tempfile.TemporaryDirectory(prefix="toolcell-check-") as name:
        image = Path(name) / "now.binpb"
        own = buf.make_image(protos, image)
        lint = buf.lint(program, image, own)
        before = buf.image_of(against, protos, Path(name)) if against else None
        return {"lint": lint, "breaking": buf.breaking(program, image, before) if before else []}


def _changes(now: dict[str, Any], *, is_written: bool) -> list[str]:
    """Holds what models are shown against the lock, or writes it."""
    from toolcell.contracts import fingerprints

    file = Path(LOCK)
    if is_written:
        file.write_text(fingerprints.text(now), "utf-8")
        return []
    if not file.is_file():
        return [f"there is no {LOCK}: `toolcell check --write` makes it, then commit it"]
    try:
        return list(fingerprints.changes(fingerprints.parse(file.read_text("utf-8")), now))
    except (fingerprints.LockInvalid, UnicodeDecodeError) as wrong:
        hint = "`toolcell check --write` writes it anew"
        raise CommandError(f"{LOCK} cannot be read: {wrong}", exit_code=EXITS["usage"], hint=hint) from None


def _show(found: dict[str, Any]) -> None:
    """Prints the verdicts as a table on stdout, and everything to look at on stderr."""
    if found["verdicts"]:
        names = list(next(iter(found["verdicts"].values())))
        rows = [(tool, *verdicts.values()) for tool, verdicts in found["verdicts"].items()]
        columns = zip(("DIALECT", *names), *rows, strict=True)
        click.echo(table(next(columns), list(columns)))
    for part, word in (
        ("notes", "note"),
        ("limits", "limit"),
        ("problems", "problem"),
        ("lint", "lint"),
        ("breaking", "breaking"),
        ("changes", "changed"),
    ):
        for sentence in found[part]:
            click.echo(plain(f"{word:<9}{sentence}"), err=True)
