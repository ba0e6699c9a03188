"""`handlers/<tool>/cell.toml`: the operator's limits of a tool, every key known, typed and bounded."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from toolcell.model import quantity
from toolcell.model.tool import MIB, Cause, Limits, Policy, Pool, Rate

FILE: Final = "cell.toml"
_MOST_BYTES: Final = 64 << 10
_MOST_ENTRIES: Final = 64
_LONGEST_VALUE: Final = 8192
_MOST_SECONDS: Final = 3600.0
_MOST_RATE: Final = 100_000.0
_LEVELS: Final = (2, 3)

_ENTRY: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DENIED: Final = re.compile(  # they change which code runs, before the handler or instead of it
    r"(LD_|PYTHON|TOOLCELL_|MALLOC_|GLIBC_|GCONV_|BASH_FUNC_).*|NODE_OPTIONS|NODE_PATH|PATH|HOME|TMPDIR|ENV|BASH_ENV"
    r"|IFS|LOCPATH|NLSPATH|HOSTALIASES|RES_OPTIONS|OPENSSL_CONF|OPENSSL_MODULES|SSLKEYLOGFILE|GODEBUG",
    re.IGNORECASE,
)

Read = Callable[[Any], Any]


class PolicyInvalid(Exception):  # noqa: N818 - a state of the policy
    """The policy cannot be used; says everything that is wrong, and where the first stands: line, column.

    Both are 0 where that is not known.
    """

    def __init__(
        self, message: str, *, at: tuple[int, int] = (0, 0), cause: Cause = Cause.POLICY_INVALID
    ) -> None:
        super().__init__(message)
        self.line, self.column = at
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Wrong:
    key: str
    sentence: str


def read_policy(directory: Path, ceiling: Limits) -> Policy:
    """Reads a tool's policy; a missing file is every default. Raises PolicyInvalid.

    `ceiling` is the server's: a key above it is refused, a default above it is lowered to it.
    """
    text = _text(directory / FILE)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        place = re.search(r"line (\d+), column (\d+)", str(wrong))
        at = (int(place[1]), int(place[2])) if place else _end(text)
        raise PolicyInvalid(f"is not TOML: {wrong}", at=at) from None
    given, wrongs = _flat(document, _keys(ceiling))
    if wrongs:
        said = "; ".join(f"{wrong.key}: {wrong.sentence}" for wrong in wrongs)
        raise PolicyInvalid(said, at=_place(text, wrongs[0].key))
    policy = _policy(given, ceiling)
    if policy.pool.warm > policy.pool.max:
        raise PolicyInvalid("pool.warm: must not be more than pool.max", at=_place(text, "pool.warm"))
    _check_paths(directory.resolve(), policy.read, _place(text, "read"))
    if policy.runtime != "python":
        message = f"the runtime {policy.runtime!r} is not available: this server runs python handlers only"
        raise PolicyInvalid(message, at=_place(text, "runtime"), cause=Cause.RUNTIME_MISSING)
    return policy


def _text(path: Path) -> str:
    try:
        if not path.resolve().is_relative_to(path.parent.resolve()):
            raise PolicyInvalid("is a link that leaves the tool's directory")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as wrong:
        raise PolicyInvalid(f"cannot be read: {wrong.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise PolicyInvalid(f"is larger than {_MOST_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise PolicyInvalid("is not UTF-8") from None


# ── the keys ────────────────────────────────────────────────────────────────────────────────────────────────


def _keys(ceiling: Limits) -> dict[str, Read]:
    """Returns every key there is, and how its value is read."""
    return {
        "entry": _entry,
        "runtime": _word,
        "preload": _flag,
        "timeout": _bounded(quantity.seconds, 0.01, _MOST_SECONDS, "s"),
        "env": _environment,
        "read": _paths,
        "memory": _bounded(
            quantity.size, 16 * MIB, ceiling.memory_bytes, "bytes, the server's ceiling.memory"
        ),
        "cpu": _bounded(quantity.seconds, 0.1, ceiling.cpu_seconds, "s, the server's ceiling.cpu"),
        "open_files": _bounded(_whole, 16, ceiling.open_files, "files, the server's ceiling.open_files"),
        "output": _bounded(quantity.size, 1024, ceiling.output_bytes, "bytes, the server's ceiling.output"),
        "pool.warm": _bounded(_whole, 0, 64, "cells"),
        "pool.max": _bounded(_whole, 1, 256, "cells"),
        "pool.queue": _bounded(_whole, 0, 10_000, "calls"),
        "rate.per_caller": _bounded(quantity.rate, 0.001, _MOST_RATE, "calls a second"),
        "rate.per_tool": _bounded(quantity.rate, 0.001, _MOST_RATE, "calls a second"),
        "rate.burst": _bounded(_whole, 1, 100_000, "calls"),
        "isolation_level.required": _bounded(_whole, *_LEVELS, "as an isolation level"),
    }


_TABLES: Final = ("pool", "rate", "isolation_level")


def _policy(given: Mapping[str, Any], ceiling: Limits) -> Policy:
    limits = {
        "memory": "memory_bytes",
        "cpu": "cpu_seconds",
        "open_files": "open_files",
        "output": "output_bytes",
    }
    defaults, of = Policy(), given.get
    bounds = {
        name: of(key, min(getattr(defaults.limits, name), getattr(ceiling, name)))
        for key, name in limits.items()
    }
    return Policy(
        entry=of("entry", defaults.entry),
        runtime=of("runtime", defaults.runtime),
        preload=of("preload", defaults.preload),
        timeout_seconds=of("timeout", defaults.timeout_seconds),
        env=of("env", {}),
        read=of("read", ()),
        limits=Limits(**bounds),
        pool=Pool(**_within("pool", given)),
        rate=Rate(**_within("rate", given)),
        required_level=of("isolation_level.required", defaults.required_level),
    )


def _within(table: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {key.partition(".")[2]: value for key, value in given.items() if key.startswith(f"{table}.")}


def _flat(document: dict[str, Any], keys: dict[str, Read]) -> tuple[dict[str, Any], list[_Wrong]]:
    """Reads every key of a document; returns values by dotted name, and what is wrong."""
    pairs: list[tuple[str, Any]] = []
    for name, value in document.items():
        if name in _TABLES and isinstance(value, dict):
            pairs += ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            pairs.append((name, value))
    given, wrongs = {}, []
    for key, value in pairs:
        try:
            given[key] = keys[key](value)
        except KeyError:
            wrongs.append(_Wrong(key, _unknown(key, keys)))
        except ValueError as wrong:
            wrongs.append(_Wrong(key, str(wrong)))
    return given, wrongs


def _unknown(key: str, keys: dict[str, Read]) -> str:
    if key in _TABLES:
        return f"must be a table: [{key}]"
    near = get_close_matches(key, keys, 1) or [name for name in keys if name.endswith(f".{key}")]
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; the keys are {', '.join(keys)}"


# ── the values ──────────────────────────────────────────────────────────────────────────────────────────────


def _bounded(read: Callable[[Any], float], least: float, most: float, unit: str) -> Read:
    def check(value: Any) -> float:
        number = read(value)
        if not least <= number <= most:
            raise ValueError(f"must be from {least:.12g} to {most:.12g} {unit}")
        return number

    return check


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _word(value: Any) -> str:
    if type(value) is not str or not value.isidentifier() or len(value) > _MOST_ENTRIES:
        raise ValueError('must be a name such as "python"')
    return value


def _entry(value: Any) -> str:
    if type(value) is not str or not _ENTRY.fullmatch(value):
        raise ValueError('must be module:function, such as "handler:handler"')
    return value


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
        raise ValueError(f'must be a table of at most {_MOST_ENTRIES} texts, such as {{ REGION = "eu" }}')
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name) or _DENIED.fullmatch(name):
            raise ValueError(f"may not set {name}: it is reserved, or no name of a variable")
        if type(text) is not str or len(text) > _LONGEST_VALUE or "\0" in text:
            raise ValueError(f"{name} must be text of at most {_LONGEST_VALUE} characters")
    return dict(value)


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        raise ValueError(f'must be a list of at most {_MOST_ENTRIES} paths, such as ["data/"]')
    for path in value:
        if (
            type(path) is not str
            or not path
            or "\0" in path
            or Path(path).is_absolute()
            or ".." in Path(path).parts
        ):
            raise ValueError("must be paths inside the tool's directory, without ..")
    return tuple(value)


def _check_paths(directory: Path, paths: tuple[str, ...], at: tuple[int, int]) -> None:
    for path in paths:
        place = (directory / path).resolve()
        if not place.is_relative_to(directory):
            raise PolicyInvalid(f"read: {path} is a link that leaves the tool's directory", at=at)
        if not place.exists():
            raise PolicyInvalid(f"read: {path} does not exist in the tool's directory", at=at)


def _place(text: str, key: str) -> tuple[int, int]:
    """Returns line and column of a key, zeros when it is written in a way that only a TOML parser finds."""
    table, _, name = key.rpartition(".")
    plain, dotted = re.compile(rf'\s*"?{re.escape(name)}"?\s*='), re.compile(rf"\s*{re.escape(key)}\s*=")
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        column = len(line) - len(line.lstrip()) + 1
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            here = header[1]
            if here == key:
                return number, column
        elif (here == table and plain.match(line)) or (not here and dotted.match(line)):
            return number, column
    return 0, 0


def _end(text: str) -> tuple[int, int]:
    """Returns the place behind the last line's last character: there tomllib names none."""
    above = text.splitlines() or [""]
    return len(above), len(above[-1]) + 1
