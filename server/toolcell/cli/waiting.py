"""Waits for a job in front of a person: a line that moves, and Ctrl-C that asks what is meant."""

import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from toolcell.cli.client import READ_SECONDS, Client
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import word_of
from toolcell.cli.text import plain
from toolcell.v1 import job_service_pb2, trace_pb2

LOOK_SECONDS = 1.0
"""How often the line on a terminal says how far the job is."""

LONG_SECONDS = 60.0
"""How long one WaitJob waits where nobody looks."""

_PAUSE_SECONDS = 0.2


def follow(client: Client, job: Any, timeout: float | None) -> Any:
    """Returns a job when it has ended, or as it stands after so many seconds.

    On a terminal Ctrl-C asks whether to cancel the job. Anywhere else, and when it comes again, the job goes
    on: then raises CommandError that says how to find it.
    """
    end = time.monotonic() + timeout if timeout is not None else None
    while True:
        try:
            with _line(job) as show:
                return _wait(client, job, end, show)
        except KeyboardInterrupt:
            if _wants_to_cancel(job):
                request = job_service_pb2.CancelJobRequest(job_id=job.job_id)
                job = client.ask(client.jobs.CancelJob, request).job


def _wait(client: Client, job: Any, end: float | None, show: Callable[[Any], None]) -> Any:
    longest = LOOK_SECONDS if sys.stderr.isatty() else LONG_SECONDS
    while not job.HasField("end_time"):
        begun = time.monotonic()
        seconds = longest if end is None else min(longest, end - begun)
        if seconds <= 0:
            break
        request = job_service_pb2.WaitJobRequest(job_id=job.job_id)
        request.timeout.FromMicroseconds(int(seconds * 1e6))
        job = client.ask(client.jobs.WaitJob, request, timeout=seconds + READ_SECONDS).job
        show(job)
        if not job.HasField("end_time") and time.monotonic() - begun < seconds - _PAUSE_SECONDS:
            time.sleep(_PAUSE_SECONDS)  # a server that is about to stop answers early
    return job


@contextmanager
def _line(job: Any) -> Iterator[Callable[[Any], None]]:
    """Gives what keeps one line of stderr up to date, on a terminal; the line goes at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    begun = time.monotonic()

    def show(now: Any) -> None:
        click.echo(f"\r\033[K{describe(now, time.monotonic() - begun)}", nl=False, err=True)

    show(job)
    try:
        yield show
    finally:
        click.echo("\r\033[K", nl=False, err=True)


def describe(job: Any, elapsed: float) -> str:
    """Says in one line where a job stands, after so many seconds of waiting."""
    state = word_of(trace_pb2.State, job.state, "STATE_")
    done = f"  {job.progress.fraction:.0%} {plain(job.progress.message)}" if job.HasField("progress") else ""
    minutes, seconds = divmod(int(elapsed), 60)
    return f"{plain(job.job_id)}  {state}  {minutes}:{seconds:02d}{done}"[:120]


def _wants_to_cancel(job: Any) -> bool:
    """Asks; raises CommandError when there is nobody to ask, or when Ctrl-C is the answer."""
    if sys.stdin.isatty() and sys.stderr.isatty():
        try:
            click.echo("Cancel the job? Ctrl-C leaves it running. [y/N]: ", nl=False, err=True)
            # A signal that comes just before a blocking read would wait for the line: hence in small steps.
            while not select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
                pass
            return sys.stdin.readline().strip().lower() in {"y", "yes"}
        except KeyboardInterrupt:
            click.echo(err=True)
    raise CommandError(
        f"stopped waiting; {plain(job.job_id)} goes on",
        exit_code=EXITS["stopped"],
        hint=f"toolcell job wait {plain(job.job_id)}, or toolcell job cancel {plain(job.job_id)}",
    )
