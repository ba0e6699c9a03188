"""What the files of a workspace say now, and what becomes of it: a broken change replaces nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from toolcell.contracts.snapshot import Entry, Problem, Snapshot
from toolcell.model.tool import Cause, Tool, Unavailable

_MISTAKES: Final = frozenset(
    {
        Cause.CONTRACT_INVALID,
        Cause.POLICY_INVALID,
        Cause.HANDLER_MISSING,
        Cause.HANDLER_IMPORT_FAILED,
        Cause.RUNTIME_MISSING,
    }
)
"""Causes that keep the revision before in service.

Not ISOLATION_TOO_LOW, by which an operator demands more than this server has; nor NAME_CONFLICT, for which of
two tools is served must not depend on which came first.
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The tools as the files have them, sorted by name, not in force yet.

    `problems` are those of whole files; `withdrawn` names tools whose handler's directory is gone, which is
    no mistake.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    withdrawn: frozenset[str] = frozenset()

    def changed(self, current: Snapshot) -> list[Tool]:
        """Returns the tools that could be served now and are not yet, at this revision."""
        served = {name: e.tool.revision for name, e in current.entries.items() if e.tool.unavailable is None}
        tools = (entry.tool for entry in self.entries.values() if entry.tool.unavailable is None)
        return [tool for tool in tools if served.get(tool.name) != tool.revision]

    def over(self, current: Snapshot, held: Collection[str], refused: Mapping[str, Unavailable]) -> Snapshot:
        """Returns the snapshot that follows.

        A tool that is served stays as it is while it is `held`, and when its files are broken or its new
        revision is `refused`.
        """
        entries, problems = {}, list(self.problems)
        for name, new in self.entries.items():
            why = new.tool.unavailable or refused.get(name)
            old = current.entries.get(name)
            is_mistake = why is not None and why.cause in _MISTAKES and name not in self.withdrawn
            stays = is_mistake or (why is None and name in held)
            if old is not None and stays and _is_another(old.tool, new.tool):
                entries[name] = old
            else:
                entries[name] = new if new.tool.unavailable == why else _refused(new, why)
            if why is not None:
                problems.append(_problem(entries[name].tool, why))
        return Snapshot.of(entries, problems)


def _is_another(old: Tool, new: Tool) -> bool:
    """Tells whether the old one is served, and not by itself what is now refused."""
    return old.unavailable is None and old.revision != new.revision


def _refused(entry: Entry, why: Unavailable | None) -> Entry:
    return Entry(replace(entry.tool, unavailable=why), entry.contract)


def _problem(tool: Tool, why: Unavailable) -> Problem:
    served = tool.revision if tool.unavailable is None else ""
    return Problem(tool.name, why.cause, why.message, why.where, why.remedy, served)
