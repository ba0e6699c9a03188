"""A declared tool, its handler's directory and its policy become one Tool, which may be unavailable."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from toolcell import __version__
from toolcell.contracts.copies import Copies
from toolcell.contracts.handlers import HandlerInvalid, digest, entry_file
from toolcell.contracts.policy import FILE, PolicyInvalid, read_policy
from toolcell.contracts.snapshot import Entry
from toolcell.contracts.tools import Declared
from toolcell.model.tool import Cause, Limits, Policy, Tool, Unavailable

_RUNTIME = f"toolcell {__version__}, python {sys.version}"
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Ground:
    """What every tool of a server stands on: the handlers' root by name, the ceiling, the level.

    Without `copies` nothing is going to run, and handlers are looked at where they are.
    """

    handlers: str
    ceiling: Limits
    isolation_level: int
    copies: Copies | None = None


class _Stop(Exception):  # noqa: N818 - carries why
    def __init__(self, why: Unavailable) -> None:
        super().__init__(why.message)
        self.why = why


def deploy(declared: Declared, directory: Path | None, ground: Ground) -> Entry:
    """Returns the tool; the first thing found that keeps it from being served is `tool.unavailable`."""
    policy, content, unavailable = Policy(), b"", declared.wrong
    place = directory or Path(declared.name)
    if unavailable is None:
        try:
            if directory is None:
                raise _Stop(_no_directory(declared, ground))
            place, content = _content(declared.name, directory, ground)
            policy = _policy(declared.name, place, ground)
            _check_entry(declared.name, place, policy, ground)
            _check_level(declared.name, policy, ground)
        except _Stop as stop:
            unavailable = stop.why
    tool = Tool(
        name=declared.name,
        title=declared.title,
        description=declared.description,
        path=declared.path,
        idempotency=declared.idempotency,
        timeout_seconds=min(declared.timeout_seconds or policy.timeout_seconds, policy.timeout_seconds),
        output_limit_bytes=min(
            declared.output_limit_bytes or policy.limits.output_bytes, policy.limits.output_bytes
        ),
        directory=place,
        place=f"{ground.handlers}/{declared.name}",
        policy=policy,
        revision=_revision(declared, content, policy),
        unavailable=unavailable,
    )
    return Entry(tool, declared.contract)


def _no_directory(declared: Declared, ground: Ground) -> Unavailable:
    return Unavailable(
        Cause.HANDLER_MISSING,
        f"the tool has a contract ({declared.place}) and no handler",
        f"{ground.handlers}/{declared.name}/",
        f"Create {ground.handlers}/{declared.name}/handler.py with `def handler(arguments, cell)`.",
    )


def _policy(name: str, directory: Path, ground: Ground) -> Policy:
    try:
        return read_policy(directory, ground.ceiling)
    except PolicyInvalid as wrong:
        where = f"{ground.handlers}/{name}/{FILE}" + (f":{wrong.line}:{wrong.column}" if wrong.line else "")
        remedy = f"Correct {FILE}, then reload."
        raise _Stop(Unavailable(wrong.cause, str(wrong), where, remedy)) from None


def _content(name: str, directory: Path, ground: Ground) -> tuple[Path, bytes]:
    """Returns where the handler's files are read from now on, and their digest."""
    where = f"{ground.handlers}/{name}/"
    try:
        if ground.copies is None:
            return directory, digest(directory)
        copy = ground.copies.take(directory)
        return copy.directory, copy.digest
    except HandlerInvalid as wrong:
        remedy = "Keep a tool's files inside its own directory, and large data elsewhere."
        raise _Stop(Unavailable(Cause.POLICY_INVALID, str(wrong), where + wrong.where, remedy)) from None
    except OSError as wrong:
        message = f"the handler's files cannot be read and copied: {wrong.strerror}"
        remedy = "Give the server the right to read them, and room on the disk of its state directory."
        raise _Stop(Unavailable(Cause.HANDLER_MISSING, message, where, remedy)) from None


def _check_entry(name: str, directory: Path, policy: Policy, ground: Ground) -> None:
    where = f"{ground.handlers}/{name}/"
    if entry_file(directory, policy.entry) is not None:
        return
    module = policy.entry.partition(":")[0].replace(".", "/")
    raise _Stop(
        Unavailable(
            Cause.HANDLER_MISSING,
            f"there is no {module}.py for the entry {policy.entry}",
            where,
            f"Create {where}{module}.py, or set `entry` in {FILE}.",
        )
    )


def _check_level(name: str, policy: Policy, ground: Ground) -> None:
    if policy.required_level > ground.isolation_level:
        raise _Stop(
            Unavailable(
                Cause.ISOLATION_TOO_LOW,
                f"the tool requires isolation level {policy.required_level}; "
                f"the server has level {ground.isolation_level}",
                f"{ground.handlers}/{name}/{FILE}",
                "Run the server where it reaches that level (`toolcell doctor` says what is missing).",
            )
        )


def _revision(declared: Declared, content: bytes, policy: Policy) -> str:
    digest = hashlib.sha256(content)
    for part in (declared.contract.digest, repr(policy), _RUNTIME):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:_DIGITS]
