"""The verb `job`: start, get, wait, cancel and list."""

from typing import Any

import click

from toolcell.cli.errors import EXITS
from toolcell.cli.options import as_data, json_option, listing_options, seconds, show_json, word_of
from toolcell.cli.outcomes import exit_code, show_outcome
from toolcell.cli.questions import given, question_options, with_words
from toolcell.cli.session import Session
from toolcell.cli.text import moment, paint, plain, span, table


@click.group
def job() -> None:
    """Runs tools in the background: start, get, wait, cancel, list.

    Needs a token with the groups jobs and invoke. A job survives a restart of the server.
    """


@job.command
@question_options
@click.option("--wait", is_flag=True, help="Wait for the job, then do as `call` does.")
@click.option("--timeout", type=seconds, metavar="TIME", help="With --wait: for at most this time.")
@json_option
@click.pass_obj
def start(
    session: Session,
    /,
    *,
    tool: str,
    arguments: str | None,
    words: tuple[str, ...],
    tool_call_id: str,
    labels: tuple[tuple[str, str], ...],
    wait: bool,
    timeout: float | None,
) -> int:
    """Starts a job and prints its id; with --wait, its output.

    Arguments are given as for `toolcell call`. Ctrl-C while it waits offers to cancel the job.
    """
    from toolcell.cli.client import Client
    from toolcell.cli.waiting import follow
    from toolcell.v1 import job_service_pb2

    text = given(arguments)
    with Client(session) as client:
        text = with_words(client, tool, text, words)
        request = job_service_pb2.StartJobRequest(
            tool=tool, arguments_json=text, tool_call_id=tool_call_id, labels=dict(labels)
        )
        started = client.ask(client.jobs.StartJob, request).job
        if wait:
            return _finish(session, follow(client, started, timeout))
    show_json(as_data(started)) if session.as_json else click.echo(started.job_id)
    return EXITS["ok"]


@job.command
@click.argument("job_id", metavar="JOB")
@json_option
@click.pass_obj
def get(session: Session, job_id: str) -> None:
    """Shows a job."""
    from toolcell.cli.client import Client
    from toolcell.v1 import job_service_pb2

    with Client(session) as client:
        found = client.ask(client.jobs.GetJob, job_service_pb2.GetJobRequest(job_id=job_id)).job
    show_json(as_data(found)) if session.as_json else click.echo("\n".join(_card(found)))


@job.command
@click.argument("job_id", metavar="JOB")
@click.option("--timeout", type=seconds, metavar="TIME", help="For at most this time; then exit code 7.")
@json_option
@click.pass_obj
def wait(session: Session, job_id: str, timeout: float | None) -> int:
    """Waits until a job has ended, then prints its output or its failure, as `call` does.

    Exit code 1 means that it failed or was cancelled, 7 that it still runs.
    """
    from toolcell.cli.client import Client
    from toolcell.cli.waiting import follow
    from toolcell.v1 import job_service_pb2

    with Client(session) as client:
        found = client.ask(client.jobs.GetJob, job_service_pb2.GetJobRequest(job_id=job_id)).job
        return _finish(session, follow(client, found, timeout))


@job.command
@click.argument("job_id", metavar="JOB")
@json_option
@click.pass_obj
def cancel(session: Session, job_id: str) -> None:
    """Cancels a job. One that runs has its handler killed; one that has ended stays as it is."""
    from toolcell.cli.client import Client
    from toolcell.v1 import job_service_pb2

    with Client(session) as client:
        found = client.ask(client.jobs.CancelJob, job_service_pb2.CancelJobRequest(job_id=job_id)).job
    if session.as_json:
        show_json(as_data(found))
        return
    state = _state(found)
    told = "is being cancelled" if state == "RUNNING" else f"is {state}"
    click.echo(f"{plain(found.job_id)} {told}", err=True)


@job.command("list")
@listing_options("jobs.all")
@click.pass_obj
def list_(
    session: Session,
    /,
    *,
    tool: str,
    state: str | None,
    caller: str,
    tool_call_id: str,
    labels: tuple[tuple[str, str], ...],
    limit: int,
) -> None:
    """Lists jobs, newest first."""
    from toolcell.cli.client import Client
    from toolcell.v1 import job_service_pb2, trace_pb2

    number = trace_pb2.State.Value(f"STATE_{state.upper()}") if state else trace_pb2.STATE_UNSPECIFIED
    chosen = job_service_pb2.JobFilter(
        tool=tool, state=number, caller=caller, tool_call_id=tool_call_id, labels=dict(labels)
    )
    request = job_service_pb2.ListJobsRequest(filter=chosen)
    with Client(session) as client:
        found = client.newest(client.jobs.ListJobs, request, "jobs", limit)
    if session.as_json:
        show_json([as_data(each) for each in found])
    elif found:
        header = ("JOB", "TIME", "TOOL", "STATE", "ATTEMPT", "CALLER")
        click.echo(table(header, [_row(each) for each in found]))
    else:
        click.echo("no job fits", err=True)


def _finish(session: Session, ended: Any) -> int:
    """Prints what came of a job that was waited for; exit code 7 when it has not ended."""
    is_running = not ended.HasField("end_time")
    if session.as_json:
        show_json(as_data(ended))
    elif is_running:
        hint = f"toolcell job wait {plain(ended.job_id)}"
        click.echo(f"{plain(ended.job_id)} is still {_state(ended)}: {hint}", err=True)
    else:
        show_outcome(ended, ended.tool)
    return EXITS["timeout"] if is_running else exit_code(ended)


def _state(found: Any) -> str:
    from toolcell.v1 import trace_pb2

    return word_of(trace_pb2.State, found.state, "STATE_")


def _row(found: Any) -> tuple[str, ...]:
    when = moment(found.create_time.ToMicroseconds())
    return (found.job_id, when, found.tool, _state(found), str(found.attempt or ""), found.caller)


def _card(found: Any) -> list[str]:
    """Shows one job, a line a fact."""
    made, begun, ended = (
        getattr(found, f"{name}_time").ToMicroseconds() for name in ("create", "start", "end")
    )
    facts = {
        "tool": found.tool,
        "state": _state(found),
        "progress": f"{found.progress.fraction:.0%} {found.progress.message}"
        if found.HasField("progress")
        else "",
        "message": found.failure.message,
        "created": moment(made),
        "waited": span((begun - made) / 1e6) if begun else "",
        "ran": span((ended - begun) / 1e6) if ended and begun else "",
        "cancel asked": moment(found.cancel_request_time.ToMicroseconds()),
        "attempt": f"{found.attempt}, {found.invocation_id}" if found.attempt else "",
        "caller": f"{found.caller} (token {found.token_id})",
        "tool call id": found.tool_call_id,
        "labels": ", ".join(f"{key}={value}" for key, value in sorted(found.labels.items())),
        "revision": found.revision,
        "trace": found.trace_id,
        "output": found.output_json,
    }
    return [
        paint(plain(found.job_id), "bright_white"),
        *(f"{name:<13} {plain(value)}" for name, value in facts.items() if value),
    ]
