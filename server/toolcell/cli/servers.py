"""The verbs `dev` and `serve`, which start a server."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolcell.cli.errors import EXITS, CommandError

if TYPE_CHECKING:
    from toolcell.config import Config  # imported when a server starts: every --help would pay for it

SHARED = (
    click.option(
        "--grpc", "listen", metavar="HOST:PORT", help="Where to serve gRPC; port 0 takes a free one."
    ),
    click.option(
        "--state", metavar="DIR", help="Folder of the database; one server owns it. Default: .toolcell"
    ),
    click.option("--protos", metavar="DIR", help="Folder of the contracts. Default: protos"),
    click.option("--handlers", metavar="DIR", help="Folder of the handlers. Default: handlers"),
    click.option("--config", metavar="FILE", help="Another file than toolcell.toml."),
)
KEYS = {
    "listen": "grpc.listen",
    "state": "state.directory",
    "protos": "workspace.protos",
    "handlers": "workspace.handlers",
    "certificate": "grpc.certificate",
    "certificate_key": "grpc.key",
    "client_ca": "grpc.client_ca",
    "insecure": "grpc.insecure",
}
"""The setting that each option overrides."""


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb the options that decide what is served, and where."""
    for option in reversed(SHARED):
        command = option(command)
    return command


@click.command
@shared_options
@click.option("--ephemeral", is_flag=True, help="Keep the state in a folder that goes with the server.")
def dev(*, config: str | None, ephemeral: bool, **flags: str | None) -> None:
    """Serves the tools of this folder to you.

    Prints one line a call.

    Writes a key with every grant to dev.key in the state folder; the other verbs find server and key there.
    """
    _run(settings_of(config, flags, is_dev=True), is_ephemeral=ephemeral)


@click.command
@shared_options
@click.option("--certificate", metavar="FILE", help="The server's certificate chain, PEM; turns TLS on.")
@click.option("--certificate-key", metavar="FILE", help="The key of --certificate, PEM.")
@click.option("--client-ca", metavar="FILE", help="Ask clients for a certificate of this CA (mTLS), PEM.")
@click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Serve without TLS off loopback, behind a proxy that ends TLS.",
)
def serve(*, config: str | None, **flags: str | bool | None) -> None:
    """Serves tools in production.

    Settings come from toolcell.toml, log lines are JSON on stderr, and no key is made.
    Make the first admin token with `toolcell token create --state DIR` before the start.
    """
    _run(settings_of(config, flags, is_dev=False), is_ephemeral=False)


def settings_of(file: str | None, flags: Mapping[str, Any], *, is_dev: bool) -> "Config":
    """Reads the configuration that a verb's options, the environment and the file add up to.

    Raises CommandError.
    """
    from toolcell import config

    given = {KEYS[name]: value for name, value in flags.items()}
    try:
        return config.load(given, is_dev=is_dev, file=Path(file) if file else None)
    except config.ConfigError as error:
        hint = "flags win over TOOLCELL_* variables, and these over toolcell.toml"
        raise CommandError(str(error), exit_code=EXITS["usage"], hint=hint) from None


def _run(settings: "Config", *, is_ephemeral: bool) -> None:
    from toolcell import app, rooms

    try:
        app.run(settings, is_ephemeral=is_ephemeral)
    except rooms.StartError as error:
        hint = "`toolcell doctor` looks at everything a server needs"
        raise CommandError(str(error), exit_code=EXITS["server unreachable"], hint=hint) from None
