"""Who calls, and what they may do."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

GROUPS: Final = ("invoke", "jobs", "jobs.all", "traces", "traces.all", "admin")
"""Every group: ToolService, JobService (own jobs, everybody's), TraceService (likewise), AdminService."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a token may do: groups of RPCs, and tools by pattern (`*` stands for any characters)."""

    groups: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()

    def includes(self, tool: str) -> bool:
        """Tells whether a tool's name fits one of the patterns."""
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)


@dataclass(frozen=True, slots=True)
class Caller:
    """A stable principal that owns tokens, as one of its tokens presents it."""

    name: str
    token_id: str
    grants: Grants


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as kept: its digest, never itself.

    Times are microseconds since the epoch, 0 for not set.
    """

    token_id: str
    caller: str
    digest: bytes = field(repr=False)
    grants: Grants
    note: str = ""
    create_time: int = 0
    expire_time: int = 0
    revoke_time: int = 0
