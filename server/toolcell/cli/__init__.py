"""The command line: a gRPC client of a running server, and the verbs that start one.

stdout carries the result, stderr everything said about it. `EXITS` in cli/errors lists the exit codes.
"""

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from toolcell import __version__
from toolcell.cli.errors import EXITS, CommandError
from toolcell.cli.session import Session

VERBS = {
    "dev": "servers",
    "serve": "servers",
    "call": "calls",
    "tools": "tools",
    "manifest": "tools",
    "reload": "tools",
    "job": "jobs",
    "runs": "records",
    "trace": "records",
    "tail": "tail",
    "token": "tokens",
    "check": "contracts",
    "db": "db",
    "doctor": "doctor",
    "completion": "completion",
    "version": "version",
}
"""Every verb and the module that has it; a module is imported when its verb is used."""

MISPLACED = ("--server", "--token", "--ca", "--cert", "--key", "--insecure")


class Verbs(click.Group):
    """Finds a verb in the table, imports its module, and puts what goes wrong into words and an exit code."""

    def __call__(self, words: Sequence[str] | None = None) -> int:
        """Runs the command line and returns its exit code; the words default to those of the process."""
        session = Session()
        try:
            result = self.main(words, prog_name="toolcell", standalone_mode=False, obj=session)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return EXITS["usage"]
        except (CommandError, click.ClickException, UnicodeEncodeError) as error:
            told = _in_words(error)
            told.show(as_json=session.as_json)
            return told.exit_code
        except (KeyboardInterrupt, click.Abort):
            click.echo("stopped", err=True)
            return EXITS["stopped"]
        except BrokenPipeError:  # whoever read stdout has seen enough
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # the interpreter flushes stdout at its end
            return EXITS["ok"]
        except Exception:  # noqa: BLE001 - a bug of ours: its stack, and never the exit code of a failed tool
            traceback.print_exc()
            return EXITS["internal"]
        return result if isinstance(result, int) else EXITS["ok"]

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Lists every verb in the order of the table."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a verb's module and returns its command; None for no verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"toolcell.cli.{VERBS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the verb of a command line; raises CommandError that suggests the nearest one."""
        if args[0] not in VERBS:
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"did you mean {near[0]}?" if near else "toolcell --help lists the verbs"
            raise CommandError(f"there is no verb {args[0]!r}", exit_code=EXITS["usage"], hint=hint)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
    epilog="Exit codes: " + ", ".join(f"{code} {name}" for name, code in EXITS.items()) + ".",
)
@click.version_option(__version__, prog_name="toolcell", message="%(prog)s %(version)s")
@click.option("--server", metavar="HOST:PORT", envvar="TOOLCELL_SERVER", help="The server to speak to.")
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="TOOLCELL_TOKEN",
    help="The bearer token. Other users can see a command line: prefer TOOLCELL_TOKEN_FILE.",
)
@click.option("--ca", metavar="FILE", envvar="TOOLCELL_CA", help="Certificates to trust the server by, PEM.")
@click.option("--cert", metavar="FILE", envvar="TOOLCELL_CERT", help="The client's certificate, PEM.")
@click.option("--key", metavar="FILE", envvar="TOOLCELL_KEY", help="The key of --cert, PEM.")
@click.option("--insecure", is_flag=True, help="Speak without TLS to a host that is not this one.")
@click.pass_obj
def main(session: Session, /, **options: str | bool | None) -> None:
    """Runs protobuf service methods as tools that a language model can call safely.

    Without --server and TOOLCELL_SERVER the verbs speak to the dev server whose state is in .toolcell, here
    or in a folder above. The token comes from TOOLCELL_TOKEN_FILE (the path of a file that holds it),
    TOOLCELL_TOKEN or --token, and for the dev server from its own key file.
    """
    for name, value in options.items():
        setattr(session, name, value)


def _in_words(error: CommandError | click.ClickException | UnicodeEncodeError) -> CommandError:
    if isinstance(error, CommandError):
        return error
    return _not_text(error) if isinstance(error, UnicodeEncodeError) else _usage(error)


def _not_text(error: UnicodeEncodeError) -> CommandError:
    """Tells bytes of the command line that are no text from characters that stdout cannot show."""
    if error.encoding == "utf-8":
        hint = "write the command line, and what TOOLCELL_* variables hold, in UTF-8"
        return CommandError(
            "the command line holds bytes that are no UTF-8", exit_code=EXITS["usage"], hint=hint
        )
    what = f"the answer holds characters that {error.encoding} cannot show"
    return CommandError(what, exit_code=EXITS["usage"], hint="set PYTHONIOENCODING=utf-8")


def _usage(error: click.ClickException) -> CommandError:
    """Gives click's own complaints the three parts that every error here has."""
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help shows how to use it" if context else "toolcell --help"
    option = getattr(error, "option_name", None)
    if option in MISPLACED:
        hint = (
            f"{option} stands before the verb: toolcell {option} … {context.info_name if context else 'VERB'}"
        )
    return CommandError(error.format_message().rstrip("."), exit_code=EXITS["usage"], hint=hint)
