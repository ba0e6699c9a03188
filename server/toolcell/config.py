"""What the operator decides about the server: flag > `TOOLCELL_*` > toolcell.toml > default.

Unknown keys are errors.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from toolcell.model import quantity
from toolcell.model.address import is_loopback
from toolcell.model.tool import MIB, Limits

DAY = 86_400.0
_PORT = re.compile(r"[0-9]{1,5}")
_LAST_PORT = 65_535
_LEAST_MESSAGE, _MOST_MESSAGE = 64 << 10, 512 << 20


class ConfigError(Exception):
    """Says which setting is wrong, where it stands, and what would be right."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: where it stands in toolcell.toml, how its value is read, its default, and what it means."""

    key: str
    read: Callable[[object], Any]
    default: Any
    meaning: str

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return "TOOLCELL_" + self.key.upper().replace(".", "_")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be text")
    return value


def _file(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _flag(value: object) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in words:
        raise ValueError("must be true or false")
    return words[value]


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        text = str(value)
        if (
            isinstance(value, bool)
            or not text.isascii()
            or not text.isdigit()
            or not least <= int(text) <= most
        ):
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return read


def _message(value: object) -> int:
    size = quantity.size(value)
    if not _LEAST_MESSAGE <= size <= _MOST_MESSAGE:
        raise ValueError("must be from 64 KiB to 512 MiB")
    return size


SETTINGS: Final = (
    Setting("workspace.protos", _file, Path("protos"), "folder of the contracts"),
    Setting("workspace.handlers", _file, Path("handlers"), "folder of the handlers"),
    Setting(
        "state.directory",
        _file,
        Path(".toolcell"),
        "folder of the database, the spool and the handlers' copies; one server owns it",
    ),
    Setting("grpc.listen", _text, "127.0.0.1:7333", "HOST:PORT to serve gRPC on; port 0 takes a free one"),
    Setting("grpc.certificate", _file, None, "PEM file of the server's certificate chain; turns TLS on"),
    Setting("grpc.key", _file, None, "PEM file of the certificate's private key"),
    Setting(
        "grpc.client_ca", _file, None, "PEM file of the CA whose client certificates are required (mTLS)"
    ),
    Setting(
        "grpc.insecure",
        _flag,
        default=False,
        meaning="serves plaintext off loopback too; for a proxy that ends TLS",
    ),
    Setting("grpc.message", _message, 4 * MIB, "largest request taken, in bytes"),
    Setting(
        "grpc.calls",
        _whole(1, 100_000),
        1000,
        "requests in flight at once; more are refused with SERVER_OVERLOADED",
    ),
    Setting(
        "grpc.streams",
        _whole(1, 10_000),
        500,
        "StreamTrace streams at once; more are refused with SERVER_OVERLOADED",
    ),
    Setting(
        "grpc.reflection",
        _one_of("open", "token", "off"),
        None,
        "who may read the tools' contracts by reflection, and their health: `open` (everybody), `token` "
        "(callers, what they are granted) or `off` (nobody; health as with `token`); default `token`, in dev "
        "`open`",
    ),
    Setting(
        "isolation.required", _whole(2, 3), 2, "lowest isolation level; below it the server refuses to start"
    ),
    Setting(
        "cells.zygotes", _whole(1, 10_000), 32, "tools kept warm at once; the least recently used gives way"
    ),
    Setting("cells.idle", quantity.seconds, 300.0, "how long an unused tool stays warm"),
    Setting("ceiling.memory", quantity.size, 1024 * MIB, "most memory a cell.toml may ask for"),
    Setting("ceiling.cpu", quantity.seconds, 300.0, "most CPU time a cell.toml may ask for"),
    Setting("ceiling.open_files", _whole(16, 65_536), 1024, "most open files a cell.toml may ask for"),
    Setting("ceiling.output", quantity.size, 16 * MIB, "largest output a cell.toml may ask for"),
    Setting("retention.age", quantity.seconds, 7 * DAY, "how long records, and jobs that ended, are kept"),
    Setting(
        "retention.size",
        quantity.size,
        1024 * MIB,
        "how large the database may grow before the oldest records go",
    ),
    Setting("drain.grace", quantity.seconds, 10.0, "how long calls in flight may go on after SIGTERM"),
    Setting(
        "admin.token_file",
        _file,
        None,
        "file of a bearer token to accept with every grant; made when it is missing",
    ),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one server, read and checked.

    `is_dev` is `toolcell dev`: printed lines, a key of its own.
    """

    protos: Path
    handlers: Path
    state: Path
    listen: str
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    insecure: bool
    message_bytes: int
    calls: int
    streams: int
    reflection: str
    required_level: int
    zygotes: int
    idle_seconds: float
    ceiling: Limits
    retention_seconds: float
    retention_bytes: int
    grace_seconds: float
    admin_token_file: Path | None
    is_dev: bool = False
    is_any_port: bool = False


def load(
    flags: Mapping[str, object],
    *,
    is_dev: bool = False,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Reads the configuration; `flags` maps keys such as `grpc.listen` to values, None for not given.

    `file` is toolcell.toml by default, where it exists. Raises ConfigError naming the key, its place and the
    remedy.
    """
    found = _from_file(file)
    values: dict[str, Any] = {}
    given = set()
    for setting in SETTINGS:
        sources = (
            (flags.get(setting.key), f"flag for {setting.key}"),
            (environment.get(setting.variable), setting.variable),
            found.get(setting.key, (None, "")),
        )
        value, place = next(((v, p) for v, p in sources if v is not None), (None, ""))
        try:
            values[setting.key] = setting.default if value is None else setting.read(value)
        except ValueError as wrong:
            raise ConfigError(f"{place}: {setting.key} {wrong}") from None
        if value is not None:
            given.add(setting.key)
    return _check(values, is_dev=is_dev, is_any_port=is_dev and "grpc.listen" not in given)


def _from_file(file: Path | None) -> dict[str, tuple[object, str]]:
    path = file or Path("toolcell.toml")
    if file is None and not path.exists():
        return {}
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as wrong:
        raise ConfigError(
            f"{path}: cannot be read ({wrong.strerror}). Give another file with --config."
        ) from None
    except (
        ValueError,
        RecursionError,
    ) as wrong:  # not TOML, not UTF-8, or more digits or levels than Python takes
        raise ConfigError(
            f"{path}: is not TOML: {wrong}. Correct it, or give another file with --config."
        ) from None
    flat: dict[str, tuple[object, str]] = {}
    for section, keys in document.items():
        for key, value in keys.items() if isinstance(keys, dict) else [("", keys)]:
            flat[f"{section}.{key}".rstrip(".")] = (value, str(path))
    known = [setting.key for setting in SETTINGS]
    for key in flat:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
            raise ConfigError(f"{path}: unknown key {key!r}. {hint}")
    return flat


def _check(values: dict[str, Any], *, is_dev: bool, is_any_port: bool) -> Config:
    if bool(values["grpc.certificate"]) != bool(values["grpc.key"]):
        raise ConfigError("grpc.certificate and grpc.key go together: give both for TLS, or neither.")
    if values["grpc.client_ca"] and not values["grpc.certificate"]:
        raise ConfigError("grpc.client_ca needs TLS: give grpc.certificate and grpc.key too.")
    listen = values["grpc.listen"]
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise ConfigError(f"grpc.listen must be HOST:PORT, such as 127.0.0.1:7333; it is {listen!r}.")
    if not values["grpc.certificate"] and not values["grpc.insecure"] and not is_loopback(host):
        raise ConfigError(
            f"grpc.listen {listen!r} is not loopback, and without TLS every token would cross the network "
            "in clear text. Give grpc.certificate and grpc.key, or --insecure when a proxy in front ends TLS."
        )
    return Config(
        protos=values["workspace.protos"],
        handlers=values["workspace.handlers"],
        state=values["state.directory"],
        listen=listen,
        certificate=values["grpc.certificate"],
        key=values["grpc.key"],
        client_ca=values["grpc.client_ca"],
        insecure=values["grpc.insecure"],
        message_bytes=values["grpc.message"],
        calls=values["grpc.calls"],
        streams=values["grpc.streams"],
        reflection=values["grpc.reflection"] or ("open" if is_dev else "token"),
        required_level=values["isolation.required"],
        zygotes=values["cells.zygotes"],
        idle_seconds=values["cells.idle"],
        ceiling=Limits(
            values["ceiling.memory"],
            values["ceiling.cpu"],
            values["ceiling.open_files"],
            values["ceiling.output"],
        ),
        retention_seconds=values["retention.age"],
        retention_bytes=values["retention.size"],
        grace_seconds=values["drain.grace"],
        admin_token_file=values["admin.token_file"],
        is_dev=is_dev,
        is_any_port=is_any_port,
    )
