"""Bearer tokens that live in files: the development key and the first admin token of a production server."""

import os
from pathlib import Path

from toolcell.model.caller import GROUPS, Grants
from toolcell.model.clock import Clock
from toolcell.model.errors import CallerFault, ToolcellError
from toolcell.pipeline.tokens import TokenBook, public_id

EVERYTHING = Grants(frozenset(GROUPS), ("*",))
"""Every RPC group and every tool."""

_LONGEST = 4096


class KeyFileError(Exception):
    """The file does not hold a usable bearer token.

    Says which file and what to do, never what the file holds.
    """


async def keep_key(tokens: TokenBook, path: Path, caller: str, clock: Clock) -> None:
    """Leaves a token with every grant in the file (mode 600).

    The one that is there while it is good, else a new one.
    """
    try:
        if tokens.verify(_bearer(path), clock.wall()).grants != EVERYTHING:  # from before a group was added
            raise KeyFileError(f"{path}: does not grant everything")
        path.chmod(0o600)  # noqa: ASYNC240 - at start, before anything is served
    except (OSError, CallerFault, KeyFileError, UnicodeDecodeError):
        _, bearer = await tokens.create(caller, f"kept in {path.name}", EVERYTHING, None)
        write_private(path, bearer + "\n")


async def accept_key(tokens: TokenBook, path: Path, caller: str, clock: Clock) -> None:
    """Accepts the operator's token in the file with every grant, or makes one there when the file is missing.

    Raises KeyFileError when the file cannot be read or written, or holds no well-formed or no valid token.
    """
    try:
        if not path.exists():  # noqa: ASYNC240 - at start, before anything is served
            _, bearer = await tokens.create(caller, f"made for {path.name}", EVERYTHING, None)
            write_private(path, bearer + "\n")
            return
        bearer = _bearer(path)
        if tokens.get(public_id(bearer)) is None:
            await tokens.enter(bearer, caller, f"from {path.name}", EVERYTHING, None)
        tokens.verify(bearer, clock.wall())
    except ToolcellError as refusal:
        raise KeyFileError(f"{path}: {refusal.reason}: {refusal.message}") from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise KeyFileError(
            f"{path}: cannot be used: {getattr(wrong, 'strerror', None) or 'is no text'}"
        ) from None


def _bearer(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        return file.read(_LONGEST).strip()


def write_private(path: Path, text: str) -> None:
    """Writes a file whole or not at all, readable by its owner only."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
