"""The tools of a workspace: read, compiled and checked in a thread, then swapped in as a whole."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from toolcell.contracts import sources
from toolcell.contracts.compiler import compile_sources
from toolcell.contracts.contract import Contract
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.deployment import Ground, deploy
from toolcell.contracts.handlers import Handlers
from toolcell.contracts.rules import MOST_WARM
from toolcell.contracts.snapshot import Changes, Entry, Problem, Snapshot, compare
from toolcell.contracts.sources import Broken, Sources
from toolcell.contracts.tools import Declared, Passed, declare, unknown_contract
from toolcell.model.tool import MIB, Cause, Limits, Unavailable

__all__ = ["Catalog", "Changes", "Entry", "Problem", "Snapshot"]

CEILING: Final = Limits(memory_bytes=1024 * MIB, cpu_seconds=300.0, open_files=1024, output_bytes=16 * MIB)
_MOST_GENERATIONS: Final = 8  # a kept contract keeps its load's whole pool


@dataclass(frozen=True, slots=True)
class _Contracts:
    """What the .proto files declare; the same for the same sources."""

    sources: str
    generation: int
    tools: tuple[Declared, ...] = ()
    passed: tuple[Passed, ...] = ()
    broken: tuple[Broken, ...] = ()


class Catalog:
    """Holds the current snapshot of a workspace and replaces it on load.

    `ceiling` bounds every policy; `isolation_level` is the server's.
    """

    def __init__(
        self, protos: Path, handlers: Path, *, ceiling: Limits = CEILING, isolation_level: int
    ) -> None:
        self.snapshot = Snapshot()
        self._protos = protos.resolve()
        self._handlers = Handlers(handlers)
        self._ground = Ground(handlers.resolve().name, ceiling, isolation_level)
        self._contracts = _Contracts("", 0)
        self._change = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, heard: Callable[[], None]) -> None:
        """Has a function called after every swap of the snapshot, on the loop's thread."""
        self._listeners.append(heard)

    async def load(self) -> Changes:
        """Reads the workspace anew and swaps the snapshot; calls on their way keep the one they have.

        Never raises for what the workspace holds: that is a problem of the snapshot.
        """
        async with self._change:
            contracts, snapshot = await asyncio.to_thread(self._read)
            changes = compare(self.snapshot, snapshot)
            self._contracts, self.snapshot = contracts, snapshot
        for heard in self._listeners:
            heard()
        return changes

    def _read(self) -> tuple[_Contracts, Snapshot]:
        found = sources.read(self._protos)
        contracts = self._contracts
        if contracts.sources != found.digest:
            contracts = _declared(found, self._kept(), contracts.generation + 1)
        directories = self._handlers.found()
        entries = {
            tool.name: self._settled(deploy(tool, directories.get(tool.name), self._handlers, self._ground))
            for tool in self._all(contracts, directories)
        }
        problems = (
            *self._file_problems(contracts),
            *self._tool_problems(entries),
            *self._orphans(contracts, directories),
        )
        entries = dict(sorted(entries.items()))
        return contracts, Snapshot(entries, problems, _digest(entries.values()))

    def _kept(self) -> dict[str, Contract]:
        """Returns the contracts that may live on, by tool."""
        oldest = self._contracts.generation + 1 - _MOST_GENERATIONS
        contracts = (entry.contract for entry in self.snapshot.entries.values())
        return {contract.tool: contract for contract in contracts if contract.generation > max(oldest, 0)}

    def _settled(self, entry: Entry) -> Entry:
        """Returns the entry of before where nothing is different, with all that was made for it."""
        old = self.snapshot.entries.get(entry.tool.name)
        is_same = old is not None and old.tool == entry.tool and old.contract is entry.contract
        return old if old is not None and is_same else entry

    # ── tools without a contract ────────────────────────────────────────────────────────────────────────────

    def _all(self, contracts: _Contracts, directories: Mapping[str, Path]) -> Iterator[Declared]:
        """Yields declared tools, and those whose contract is probably in a file that does not compile."""
        yield from contracts.tools
        for name in _without_contract(contracts, directories):
            if wrong := self._suspect(name, contracts.broken):
                why = Unavailable(
                    Cause.CONTRACT_INVALID,
                    f"its contract does not compile: {wrong.message}",
                    f"{self._protos.name}/{wrong.where}",
                    wrong.remedy,
                )
                yield Declared(name, why.where, unknown_contract(name), wrong=why)

    def _suspect(self, name: str, broken: Iterable[Broken]) -> Broken | None:
        """Returns the broken file that names a tool, else the first one that could hold its contract."""
        candidates = list(broken)
        named = (file for file in candidates if name in sources.tools_named(self._protos / file.file))
        return next(named, candidates[0] if candidates else None)

    def _orphans(self, contracts: _Contracts, directories: Mapping[str, Path]) -> Iterator[Problem]:
        """Yields directories that no method stands behind, when every contract compiles."""
        known = sorted({tool.name for tool in contracts.tools})
        passed = {method.name for method in contracts.passed}
        for name in _without_contract(contracts, directories) if not contracts.broken else ():
            if name in passed:
                continue
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            yield Problem(
                name,
                Cause.CONTRACT_INVALID,
                f"the handler has no contract: no method is called {name}.{hint}",
                f"{self._ground.handlers}/{name}/",
                f"Rename the directory, or write a method in a .proto under {self._protos.name}/.",
            )

    # ── problems ────────────────────────────────────────────────────────────────────────────────────────────

    def _file_problems(self, contracts: _Contracts) -> Iterator[Problem]:
        if not self._protos.is_dir():
            message = "the folder of the contracts does not exist"
            yield Problem(
                "", Cause.CONTRACT_INVALID, message, self._protos.name, "Create it, or give another --protos."
            )
        for file in contracts.broken:
            where = f"{self._protos.name}/{file.where}"
            yield Problem("", Cause.CONTRACT_INVALID, file.message, where, file.remedy)
        for method in contracts.passed:
            where = f"{self._protos.name}/{method.place}"
            yield Problem(method.name, Cause.CONTRACT_INVALID, method.message, where, method.remedy)

    def _tool_problems(self, entries: Mapping[str, Entry]) -> Iterator[Problem]:
        for name, entry in entries.items():
            if why := entry.tool.unavailable:
                yield Problem(name, why.cause, why.message, why.where, why.remedy)


def _declared(found: Sources, kept: Mapping[str, Contract], generation: int) -> _Contracts:
    """Compiles the sources and reads what they declare."""
    compiled = compile_sources(found)
    definitions = Definitions(compiled.files)
    broken = [*found.refused, *compiled.broken]
    names = []
    for name in sorted(compiled.contracts):
        if name in definitions.refused:
            broken.append(Broken(name, definitions.refused[name], "Correct the file, then reload."))
        elif (package := definitions.file(name).package).partition(".")[0] in sources.RESERVED:
            broken.append(Broken(name, *sources.reserved(package)))
        else:
            names.append(name)
    methods = list(declare(definitions, names, kept, generation))
    tools = _without_conflicts(
        _placed(method, found.root.name) for method in methods if isinstance(method, Declared)
    )
    if len(tools) > MOST_WARM:
        definitions.rules.forget()
    passed = tuple(method for method in methods if isinstance(method, Passed))
    return _Contracts(
        found.digest, generation, tuple(tools), passed, tuple(sorted(broken, key=lambda b: b.file))
    )


def _placed(tool: Declared, root: str) -> Declared:
    """Makes a tool's places relative to the workspace."""
    wrong = tool.wrong and replace(tool.wrong, where=f"{root}/{tool.wrong.where}")
    return replace(tool, place=f"{root}/{tool.place}", wrong=wrong)


def _without_conflicts(tools: Iterable[Declared]) -> list[Declared]:
    """Refuses every tool whose name two methods want, so that no order of loading decides which is served."""
    named: dict[str, list[Declared]] = {}
    for tool in tools:
        named.setdefault(tool.name, []).append(tool)
    return [same[0] if len(same) == 1 else _conflict(same) for same in named.values()]


def _conflict(same: list[Declared]) -> Declared:
    name, places = same[0].name, [tool.place for tool in same]
    why = Unavailable(
        Cause.NAME_CONFLICT,
        f"{len(same)} methods want to be the tool {name}: {', '.join(places)}",
        places[0],
        "Give one of them another `name` in (toolcell.v1.tool).",
    )
    return Declared(name, places[0], unknown_contract(name), wrong=why)


def _without_contract(contracts: _Contracts, directories: Mapping[str, Path]) -> list[str]:
    known = {tool.name for tool in contracts.tools}
    return [name for name in directories if name not in known]


def _digest(entries: Iterable[Entry]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        tool = entry.tool
        digest.update(repr((tool.name, tool.revision, tool.unavailable)).encode())
    return digest.hexdigest()
