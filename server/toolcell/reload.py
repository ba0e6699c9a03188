"""Brings what the workspace's files say into force while the server runs; what is broken replaces nothing.

A handler that does not import is known only when its zygote starts. So a changed tool that is in use is tried
first: its new zygote starts while the old one serves, and only then the snapshot is swapped. Tools that need
no trial do not wait for those that do.
"""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Catalog, Changes, Problem, Proposal, Snapshot, compare
from toolcell.contracts.watch import WatchFailed, saves
from toolcell.model.tool import Tool, Unavailable
from toolcell.telemetry.lines import Lines

_FEW: Final = 8
"""So many changed tools are tried even if nobody called them yet; of more, only those in use are."""

_AT_ONCE: Final = 4


class Reload:
    """Reads the files when it is called, and when they are saved if it follows them."""

    def __init__(self, catalog: Catalog, cells: Cells, lines: Lines) -> None:
        self._catalog = catalog
        self._cells = cells
        self._lines = lines
        self._turn = asyncio.Lock()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._refused: dict[str, tuple[str, Unavailable]] = {}
        self._hot: asyncio.Task[None] | None = None

    async def __call__(self) -> Changes:
        """Reads everything anew, tries again what was refused, and returns when all of it is settled."""
        await self._stop()
        async with self._turn:
            self._refused.clear()
            changes = await self._settle()
        counts = {"changed": len(changes.changed), "problems": len(changes.problems)}
        self._lines.event("reloaded", "the files were read anew", **counts)
        return changes

    @asynccontextmanager
    async def following(self, *roots: Path, when: bool = True) -> AsyncIterator[None]:
        """Follows what is under the roots for as long as the context lasts, `when` that is wanted."""
        if not when:
            yield
            return
        task = asyncio.create_task(self.follow(*roots))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def follow(self, *roots: Path) -> None:
        """Reloads whenever something under the roots is saved, until it is cancelled.

        A save that comes while the last one is still being tried ends that trial: only the newest counts.
        """
        try:
            async for _ in saves(*roots):
                await self._stop()
                self._hot = asyncio.create_task(self._on_save())
        except WatchFailed as failed:
            advice = "tell it of changes with `toolcell reload`"
            self._lines.event("not_watching", f"saved files are not noticed ({failed}): {advice}")
        finally:
            await self._stop()

    async def _on_save(self) -> None:
        try:
            async with self._turn:
                await self._settle()
        except Exception:  # noqa: BLE001 - the next save must find somebody
            self._lines.event("error", f"a reload failed\n{traceback.format_exc()}")

    async def _stop(self) -> None:
        if self._hot is not None:
            self._hot.cancel()
            with suppress(asyncio.CancelledError):
                await self._hot
            self._hot = None

    async def _settle(self) -> Changes:
        """Takes what needs no trial, then each tool when its trial is over."""
        begun, before = time.perf_counter(), self._catalog.snapshot
        proposal = await self._catalog.propose()
        self._refused = {
            name: known for name, known in self._refused.items() if known[0] == _revision(proposal, name)
        }
        trials = self._trials(proposal)
        self._adopt(proposal, trials, begun)
        waiting = {asyncio.create_task(self._try(tool)): tool for tool in trials.values()}
        try:
            for done in asyncio.as_completed(tuple(waiting)):
                tool, why = await done
                del trials[tool.name]
                if why is not None:
                    self._refused[tool.name] = (tool.revision, why)
                self._adopt(proposal, trials, begun, tried=(tool.name,))
        finally:
            for task in waiting:
                task.cancel()
        await self._catalog.tidy(self._cells.directories())
        return compare(before, self._catalog.snapshot)

    def _trials(self, proposal: Proposal) -> dict[str, Tool]:
        changed = [t for t in proposal.changed(self._catalog.snapshot) if t.name not in self._refused]
        return {t.name: t for t in changed if len(changed) <= _FEW or self._cells.is_warm(t.name)}

    async def _try(self, tool: Tool) -> tuple[Tool, Unavailable | None]:
        async with self._slots:
            return tool, await self._cells.fault_of(tool)

    def _adopt(
        self, proposal: Proposal, trials: dict[str, Tool], begun: float, tried: Collection[str] = ()
    ) -> None:
        before = self._catalog.snapshot
        refused = {name: why for name, (_, why) in self._refused.items()}
        self._catalog.adopt(proposal, held=trials, refused=refused)
        served = {entry.tool.revision for entry in self._catalog.snapshot.entries.values()}
        self._cells.retire(served | {tool.revision for tool in trials.values()})
        self._say(before, begun, held=trials, tried=tried)

    # ── what is said ────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, before: Snapshot, begun: float, held: Collection[str], tried: Collection[str]) -> None:
        """Says what changed just now, and each problem that is new or was met again; one line a place."""
        after = self._catalog.snapshot
        changes = compare(before, after)
        broken = {problem.tool for problem in after.problems}
        told = {
            "added": [name for name in changes.added if name not in broken],
            "changed": [name for name in changes.changed if name not in broken],
            "removed": list(changes.removed),
            "mended": sorted(_mended(before, after) - {*changes.changed, *held}),
        }
        named = {word: ",".join(names) for word, names in told.items() if names}
        if named:
            took = f"{(time.perf_counter() - begun) * 1000:.0f} ms"
            self._lines.event("reloaded", "reloaded", **named, took=took)
        known = set(before.problems)
        for same in _by_place(p for p in after.problems if p not in known or p.tool in tried):
            self._tell(same)

    def _tell(self, same: list[Problem]) -> None:
        first, names = same[0], [problem.tool for problem in same if problem.tool]
        served = [problem.tool for problem in same if problem.served]
        remedy = first.remedy
        if served:
            remedy = f"{remedy} Until then the revision before is served: {', '.join(served)}.".lstrip()
        self._lines.problem(first.message, where=first.where, remedy=remedy, cause=first.cause, tools=names)


def _revision(proposal: Proposal, name: str) -> str:
    entry = proposal.entries.get(name)
    return entry.tool.revision if entry is not None else ""


def _mended(before: Snapshot, after: Snapshot) -> set[str]:
    """Returns tools whose files were broken and are not any more."""
    was, now = ({problem.tool for problem in shot.problems} for shot in (before, after))
    return (was - now) & after.entries.keys()


def _by_place(problems: Iterable[Problem]) -> Iterable[list[Problem]]:
    places: dict[str, list[Problem]] = {}
    for problem in problems:
        places.setdefault(problem.where, []).append(problem)
    return places.values()
