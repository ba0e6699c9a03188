"""What a load of the workspace gives: tools with their contracts, and everything that is wrong."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from toolcell.contracts.contract import Contract
from toolcell.model.tool import Cause, Tool


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an operator should mend.

    `tool` is "" for a whole file; `where` is relative to the workspace; `served` is the revision that goes on
    being served until it is mended, "" for none.
    """

    tool: str
    cause: Cause
    message: str
    where: str
    remedy: str
    served: str = ""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Entry:
    """A tool and its contract. An unavailable tool whose contract is not known has one without any fields."""

    tool: Tool
    contract: Contract


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tools of one load, sorted by name, unavailable ones too; swapped whole and never changed."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    digest: str = ""

    @classmethod
    def of(cls, entries: Mapping[str, Entry], problems: Iterable[Problem]) -> Self:
        """Returns the snapshot of these entries, which are sorted by name."""
        digest = hashlib.sha256()
        for entry in entries.values():
            tool = entry.tool
            digest.update(repr((tool.name, tool.revision, tool.unavailable)).encode())
        return cls(entries, tuple(problems), digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Changes:
    """What a load changed: names of tools, and every problem there is now."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    problems: tuple[Problem, ...]


def compare(old: Snapshot, new: Snapshot) -> Changes:
    """Tells what is new, gone or different; a tool that became available or unavailable is different."""
    shared = old.entries.keys() & new.entries.keys()
    return Changes(
        added=tuple(sorted(new.entries.keys() - shared)),
        changed=tuple(sorted(name for name in shared if _is_changed(old.entries[name], new.entries[name]))),
        removed=tuple(sorted(old.entries.keys() - shared)),
        problems=new.problems,
    )


def _is_changed(old: Entry, new: Entry) -> bool:
    return (old.tool.revision, old.tool.unavailable) != (new.tool.revision, new.tool.unavailable)
