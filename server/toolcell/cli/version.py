"""The verb `version`."""

import click

from toolcell import __version__


@click.command
def version() -> None:
    """Prints the version."""
    click.echo(f"toolcell {__version__}")
