"""A tool and its policy: what the model may know, and what only the operator may know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MIB = 1 << 20


class Idempotency(StrEnum):
    """Protobuf's own `idempotency_level` of a method; it decides what may be repeated."""

    UNSET = "IDEMPOTENCY_UNKNOWN"
    NO_SIDE_EFFECTS = "NO_SIDE_EFFECTS"
    IDEMPOTENT = "IDEMPOTENT"

    @property
    def is_retry_safe(self) -> bool:
        """Tells whether running the tool twice equals running it once."""
        return self is not Idempotency.UNSET


class Cause(StrEnum):
    """Why a tool is unavailable (the `cause` of TOOL_UNAVAILABLE)."""

    CONTRACT_INVALID = "CONTRACT_INVALID"
    POLICY_INVALID = "POLICY_INVALID"
    HANDLER_MISSING = "HANDLER_MISSING"
    HANDLER_IMPORT_FAILED = "HANDLER_IMPORT_FAILED"
    NAME_CONFLICT = "NAME_CONFLICT"
    ISOLATION_TOO_LOW = "ISOLATION_TOO_LOW"
    RUNTIME_MISSING = "RUNTIME_MISSING"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Says why a tool cannot run and what to do.

    `where` is `file:line:column` or a file, relative to the workspace.
    """

    cause: Cause
    message: str
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds one cell: sizes in bytes, times in seconds."""

    memory_bytes: int = 256 * MIB
    cpu_seconds: float = 10.0
    open_files: int = 64
    output_bytes: int = MIB


@dataclass(frozen=True, slots=True)
class Pool:
    """Bounds a tool's cells: how many wait warm, how many run at once, how many callers may queue."""

    warm: int = 2
    max: int = 16
    queue: int = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """Token bucket in calls a second; `burst` calls may come at once."""

    per_caller: float = 100.0
    per_tool: float = 500.0
    burst: int = 200


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's limits of a tool, read from `handlers/<tool>/cell.toml`; every key has a default.

    `entry` is `module:function`; `read` are directories or files inside the tool's directory that a cell may
    read besides its code; `timeout_seconds` is the wall time of one attempt; `required_level` refuses the
    tool below that isolation level.
    """

    entry: str = "handler:handler"
    runtime: str = "python"
    preload: bool = True
    timeout_seconds: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict)
    read: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    pool: Pool = field(default_factory=Pool)
    rate: Rate = field(default_factory=Rate)
    required_level: int = 2


@dataclass(frozen=True, slots=True)
class Tool:
    """A service method a model can call, at one revision.

    `path` is its gRPC path (`/package.Service/Method`); `timeout_seconds` and `output_limit_bytes` are the
    smaller of contract and policy; `directory` holds the handler as it was when this revision was made, and
    `place` is what people call it (`handlers/<tool>`); `revision` digests contract, handler, policy and
    runtime; `unavailable` is None when the tool can run.
    """

    name: str
    title: str
    description: str
    path: str
    idempotency: Idempotency
    timeout_seconds: float
    output_limit_bytes: int
    directory: Path
    policy: Policy
    revision: str
    unavailable: Unavailable | None = None
    place: str = ""
