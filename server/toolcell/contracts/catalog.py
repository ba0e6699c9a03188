"""The tools of a workspace: read, compiled and checked in a thread, then swapped in as a whole."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

from toolcell.contracts import sources
from toolcell.contracts.compiler import compile_sources
from toolcell.contracts.contract import Contract
from toolcell.contracts.copies import Copies
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.deployment import Ground, deploy
from toolcell.contracts.handlers import found
from toolcell.contracts.proposal import Proposal
from toolcell.contracts.rules import MOST_WARM
from toolcell.contracts.snapshot import Changes, Entry, Problem, Snapshot, compare
from toolcell.contracts.sources import Broken, Sources
from toolcell.contracts.suspects import suspects
from toolcell.contracts.tools import Declared, Passed, declare, unknown_contract
from toolcell.model.tool import MIB, Cause, Limits, Unavailable

__all__ = ["Catalog", "Changes", "Entry", "Problem", "Proposal", "Snapshot", "compare"]

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
    """Holds the current snapshot of a workspace, and replaces it by what the files say.

    `ceiling` bounds every policy; `isolation_level` is the server's. `copies` is the folder, its own and
    emptied, that handlers are copied to, so that every revision runs what it was made from; without it the
    tools can be looked at, and should not be run.
    """

    def __init__(
        self,
        protos: Path,
        handlers: Path,
        *,
        ceiling: Limits = CEILING,
        isolation_level: int,
        copies: Path | None = None,
    ) -> None:
        self.snapshot = Snapshot()
        self._given = protos
        self._protos = protos.resolve()
        self._handlers = handlers
        self._copies = Copies(copies) if copies is not None else None
        self._ground = Ground(handlers.resolve().name, ceiling, isolation_level, self._copies)
        self._contracts = _Contracts("", 0)
        self._homes: dict[str, str] = {}  # tools to the files that last declared them
        # One thread: whoever stops waiting for a reading does not set another one beside it.
        self._reader = ThreadPoolExecutor(1, "toolcell-catalog")
        self._listeners: list[Callable[[], None]] = []

    def listen(self, heard: Callable[[], None]) -> None:
        """Has a function called after every swap of the snapshot, on the loop's thread."""
        self._listeners.append(heard)

    async def load(self) -> Changes:
        """Reads the workspace and takes what it says; see `propose` and `adopt`."""
        before = self.snapshot
        self.adopt(await self.propose())
        if self._copies is not None:
            self._reader.submit(self._copies.sweep)  # nobody waits for it
        return compare(before, self.snapshot)

    async def propose(self) -> Proposal:
        """Reads the workspace anew and returns what it says, which is not in force.

        Never raises for what the workspace holds: that is a problem of the proposal.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read)

    def adopt(
        self,
        proposal: Proposal,
        *,
        held: Collection[str] = (),
        refused: Mapping[str, Unavailable] = MappingProxyType({}),
    ) -> None:
        """Swaps the snapshot for the one that a proposal makes; calls on their way keep what they have.

        What is broken, and what is `refused` by name, leaves a tool that is served as it is; so does `held`
        for the time being.
        """
        self.snapshot = proposal.over(self.snapshot, held, refused)
        for heard in self._listeners:
            heard()

    async def tidy(self, in_use: Collection[Path]) -> None:
        """Removes copies of handlers that neither the snapshot nor a cell (`in_use`) has any more."""
        if self._copies is not None:
            served = {entry.tool.directory for entry in self.snapshot.entries.values()}
            needed = {*served, *in_use}
            await asyncio.get_running_loop().run_in_executor(self._reader, self._copies.tidy, needed)

    def _read(self) -> Proposal:
        files = sources.read(self._protos)
        contracts = self._contracts
        if contracts.sources != files.digest:
            contracts = self._contracts = _declared(files, self._kept(), contracts.generation + 1)
        directories = found(self._handlers)
        suspected = self._suspects(contracts, directories)
        entries = {
            tool.name: self._settled(deploy(tool, directories.get(tool.name), self._ground))
            for tool in (*contracts.tools, *suspected.values())
        }
        return Proposal(
            entries=dict(sorted(entries.items())),
            problems=(*self._file_problems(contracts), *self._orphans(contracts, directories, suspected)),
            withdrawn=frozenset(entries.keys() - directories.keys()),
        )

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

    def _suspects(self, contracts: _Contracts, directories: Mapping[str, Path]) -> dict[str, Declared]:
        """Returns the tools whose contract is, or may be, in a file that does not compile."""
        broken = {file.file for file in contracts.broken}
        before = {name: file for name, file in self._homes.items() if file in broken}
        root = len(self._protos.name) + 1
        self._homes = before | {tool.name: tool.place[root:].partition(":")[0] for tool in contracts.tools}
        names = _without_contract(contracts, directories)
        return suspects(self._protos, contracts.broken, names, self._homes)

    def _orphans(
        self, contracts: _Contracts, directories: Mapping[str, Path], suspected: Collection[str]
    ) -> Iterator[Problem]:
        """Yields directories that no method stands behind, nor a file that does not compile."""
        known = sorted({tool.name for tool in contracts.tools})
        explained = {*suspected, *(method.name for method in contracts.passed)}
        for name in _without_contract(contracts, directories):
            if name in explained:
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
        folders = (("contracts", "protos", self._given), ("handlers", "handlers", self._handlers))
        for kind, name, folder in folders:
            if not folder.is_dir():
                message = f"the folder of the {kind} does not exist"
                remedy = f"Create it, or name another: --{name}, or workspace.{name} in toolcell.toml."
                yield Problem("", Cause.CONTRACT_INVALID, message, f"{folder}/", remedy)
        for file in contracts.broken:
            where = f"{self._protos.name}/{file.where}"
            yield Problem("", Cause.CONTRACT_INVALID, file.message, where, file.remedy)
        for method in contracts.passed:
            where = f"{self._protos.name}/{method.place}"
            yield Problem(method.name, Cause.CONTRACT_INVALID, method.message, where, method.remedy)


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
