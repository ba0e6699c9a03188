"""What the command line says when something went wrong, and what it exits with."""

import json
from collections.abc import Sequence
from typing import Final

import click

from toolcell.cli.text import paint, plain

EXITS: Final = {
    "ok": 0,
    "tool failed": 1,
    "usage": 2,
    "invalid arguments": 3,
    "not authorized": 4,
    "not found": 5,
    "rate limited": 6,
    "timeout": 7,
    "server unreachable": 8,
    "internal": 10,
    "stopped": 130,
}
"""Every exit code by its name; 130 is what shells expect after Ctrl-C."""


class CommandError(Exception):
    """Ends a command: says what is wrong, where, and what to do.

    `where` holds one line for each place (`field: rule`); `reason` is the server's ErrorReason,
    "" for what the command line finds itself.
    """

    def __init__(
        self, what: str, *, exit_code: int, hint: str, where: Sequence[str] = (), reason: str = ""
    ) -> None:
        super().__init__(what)
        self.what, self.exit_code, self.hint, self.where, self.reason = what, exit_code, hint, where, reason

    def show(self, *, as_json: bool) -> None:
        """Writes it to stderr: lines for a person, or one JSON object."""
        if as_json:
            error = {
                "reason": self.reason,
                "message": self.what,
                "where": list(self.where),
                "hint": self.hint,
            }
            click.echo(json.dumps({"error": error}), err=True)
            return
        reason = f" ({self.reason})" if self.reason else ""
        click.echo(f"{paint('error:', 'red', err=True)} {plain(self.what)}{reason}", err=True)
        for line in self.where:
            click.echo(f"  {plain(line)}", err=True)
        click.echo(f"{paint('hint:', 'yellow', err=True)} {plain(self.hint)}", err=True)
