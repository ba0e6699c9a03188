"""The verb `doctor`: looks at everything a server needs, with or without one running."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from toolcell.cli.checks import FAIL, OK, WARN, Check
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import json_option, show_json
from toolcell.cli.servers import settings_of, shared_options
from toolcell.cli.session import Session
from toolcell.cli.text import paint, plain

COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}


@click.command
@shared_options
@json_option
@click.pass_obj
def doctor(session: Session, /, *, config: str | None, **flags: str | None) -> int:
    """Looks at everything a server needs.

    That is Python, libraries, kernel, port, database, key files and the tools of this folder.

    Each line is ok, or a warning with its consequence, or a failure with what mends it. Exit code 1 means
    that something fails.
    """
    checks = _examine(config, flags)
    if session.as_json:
        show_json([asdict(check) for check in checks])
    else:
        for check in checks:
            click.echo("\n".join(_lines(check)))
    return EXITS["tool failed"] if any(check.verdict == FAIL for check in checks) else EXITS["ok"]


def _examine(file: str | None, flags: dict[str, str | None]) -> list[Check]:
    from toolcell.cli import checks

    found = [checks.python(sys.version_info[:3]), *checks.libraries()]
    try:
        settings = settings_of(file, flags, is_dev=True)
    except CommandError as error:
        return [*found, Check("configuration", FAIL, error.what, "correct it; nothing else was looked at")]
    named = Path(file or "toolcell.toml")
    found.append(
        Check("configuration", OK, str(named) if named.exists() else "defaults: no toolcell.toml here")
    )
    found += checks.kernel(settings.required_level)
    found += checks.database(settings.state)
    found += [
        *checks.state(settings.state),
        checks.disk(settings.state),
        checks.port(settings.listen, settings.state),
    ]
    found += checks.private_files((settings.key, settings.admin_token_file))
    return found + checks.workspace(settings)


def _lines(check: Check) -> list[str]:
    lines = [
        f"{paint(check.verdict.ljust(4), COLOURS[check.verdict])}  {check.name:<13} {plain(check.detail)}"
    ]
    if check.advice:
        lines.append(f"{'':>20}{plain(check.advice)}")
    return lines
