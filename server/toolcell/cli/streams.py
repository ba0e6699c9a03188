"""The stream of events as it comes, across restarts of the server."""

import time
from collections.abc import Iterator
from typing import Any, Final

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Session
from toolcell.cli.text import paint

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts to reach a server that has gone."""


def follow(session: Session, chosen: Any, cursor: str, *, is_endless: bool = True) -> Iterator[Any]:
    """Yields StreamTrace's messages after a cursor; resumes where it was when the server goes and comes back.

    `chosen` is an EventFilter. Raises CommandError for every refusal but those of a server that has gone, and
    for that too before its first message.
    """
    from toolcell.cli.client import Client
    from toolcell.v1 import trace_service_pb2

    request = trace_service_pb2.StreamTraceRequest(filter=chosen, cursor=cursor, follow=is_endless)
    pause, is_lost = 0.0, False
    while True:
        try:
            with Client(session) as client:
                for message in client.stream(client.traces.StreamTrace, request):
                    if is_lost:
                        click.echo(paint("the server is back: resumed", "green", err=True), err=True)
                    pause, is_lost, request.cursor = _FIRST_PAUSE, False, message.cursor
                    yield message
                return
        except CommandError as error:
            if not pause or error.exit_code != EXITS["server unreachable"]:
                raise
        if not is_lost:
            words = f"the server went away; waiting to resume after {request.cursor}"
            click.echo(paint(words, "yellow", err=True), err=True)
        is_lost = True
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
