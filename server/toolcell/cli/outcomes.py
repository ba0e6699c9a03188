"""What came of a call or a job, printed; and what to exit with."""

import json
import sys
from typing import Any

import click

from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.options import as_data, word_of
from toolcell.cli.text import pretty


def exit_code(answer: Any) -> int:
    """Returns the exit code of an outcome."""
    from toolcell.v1 import error_reason_pb2

    if answer.WhichOneof("outcome") != "failure":
        return EXITS["ok"]
    is_late = answer.failure.reason == error_reason_pb2.ERROR_REASON_HANDLER_TIMEOUT
    return EXITS["timeout"] if is_late else EXITS["tool failed"]


def show_outcome(answer: Any, tool: str) -> None:
    """Prints an output on stdout; raises a failure as a CommandError, with the way to its trace."""
    from toolcell.v1 import error_reason_pb2

    if answer.WhichOneof("outcome") == "failure":
        failure = answer.failure
        details = {key: value for key, value in as_data(failure.details).items() if value != tool}
        seen = f"toolcell trace {answer.invocation_id} shows what happened"
        raise CommandError(
            failure.message,
            exit_code=exit_code(answer),
            hint=seen if answer.invocation_id else "it did not run",
            where=[f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in details.items()],
            reason=word_of(error_reason_pb2.ErrorReason, failure.reason, "ERROR_REASON_"),
        )
    text = answer.output_json or json.dumps(as_data(answer.output), ensure_ascii=False)
    click.echo(pretty(json.loads(text)) if sys.stdout.isatty() else text)
