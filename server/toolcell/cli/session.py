"""Which server a command speaks to, as whom, and over what kind of connection."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from toolcell.cli.errors import EXITS, CommandError
from toolcell.model.address import is_loopback

STATE = ".toolcell"


@dataclass(slots=True)
class Session:
    """What the global options said; `as_json` is set by a verb's --json."""

    server: str | None = None
    token: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A server, the bearer token for it, and the TLS material; `tls` False means plaintext."""

    address: str
    bearer: str
    tls: bool
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None


def find_state(start: Path | None = None) -> Path | None:
    """Finds the state directory of a dev server: TOOLCELL_STATE_DIRECTORY, else .toolcell here or above.

    Only one's own counts: in a folder that others may write to, theirs would send the calls to their server.
    """
    if named := os.environ.get("TOOLCELL_STATE_DIRECTORY"):
        return Path(named)
    here = start or Path.cwd()
    return next((folder / STATE for folder in (here, *here.parents) if _is_own(folder / STATE)), None)


def aim(session: Session) -> Target:
    """Decides where to connect; raises CommandError when no server or no token is known."""
    state = find_state()
    served = _read(state / "address") if state else ""
    address = session.server or served
    if not address:
        hint = "start one here with `toolcell dev`, or name one with --server HOST:PORT or TOOLCELL_SERVER"
        raise CommandError("no server is known", exit_code=EXITS["server unreachable"], hint=hint)
    host = host_of(address)
    tls = not session.insecure and (
        session.ca is not None or session.cert is not None or not is_loopback(host)
    )
    if session.insecure and (session.ca or session.cert):
        hint = "leave --insecure away to speak TLS"
        raise CommandError("--insecure takes no --ca and no --cert", exit_code=EXITS["usage"], hint=hint)
    if bool(session.cert) != bool(session.key):
        raise CommandError("--cert and --key go together", exit_code=EXITS["usage"], hint="give both of them")
    bearer = _bearer(session, state if served == address else None)
    return Target(
        address, bearer, tls, *(_material(path) for path in (session.ca, session.cert, session.key))
    )


def host_of(address: str) -> str:
    """Returns the host of `host:port` or `[v6]:port`; raises CommandError for anything else."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        hint = "write HOST:PORT, such as 127.0.0.1:7333 or [::1]:7333"
        raise CommandError(f"{address!r} is not the address of a server", exit_code=EXITS["usage"], hint=hint)
    return host.removeprefix("[").removesuffix("]")


def _is_own(directory: Path) -> bool:
    try:
        status = directory.stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _bearer(session: Session, state: Path | None) -> str:
    """Finds the token: the option or TOOLCELL_TOKEN, the file of TOOLCELL_TOKEN_FILE, the dev server's key.

    The dev key goes to the dev server alone: `state` is None for every other address.
    """
    if session.token:
        return _printable(session.token)
    if named := os.environ.get("TOOLCELL_TOKEN_FILE"):
        if bearer := _read(Path(named)):
            return _printable(bearer)
        hint = "the file must hold the token, tc_…, and be readable by you"
        raise CommandError(
            f"TOOLCELL_TOKEN_FILE: {named} holds no token", exit_code=EXITS["not authorized"], hint=hint
        )
    if state and (bearer := _read(state / "dev.key")):
        return bearer
    hint = "put it into a file and name that in TOOLCELL_TOKEN_FILE; `toolcell token create` makes one"
    raise CommandError("no token is known for this server", exit_code=EXITS["not authorized"], hint=hint)


def _printable(bearer: str) -> str:
    """Returns a token that can be sent; raises CommandError that does not repeat it."""
    if bearer.isascii() and bearer.isprintable():
        return bearer
    hint = "copy the whole token, tc_…, and nothing else"
    raise CommandError(
        "the token holds characters that no token has", exit_code=EXITS["not authorized"], hint=hint
    )


def _read(path: Path) -> str:
    """Reads a short file; "" when there is none, it is not ours to read or it is no text."""
    try:
        with path.open(encoding="ascii") as file:
            return file.read(4096).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _material(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        hint = "name a PEM file that you may read"
        raise CommandError(f"{path}: {error.strerror}", exit_code=EXITS["usage"], hint=hint) from None
