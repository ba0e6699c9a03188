"""Every room below the doors, built from a configuration from the bottom up, closed from the top down."""

import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from toolcell.cells import containment
from toolcell.cells.pool import Cells
from toolcell.config import Config
from toolcell.contracts.catalog import Catalog
from toolcell.jobs.engine import JobEngine
from toolcell.model.clock import Clock, SystemClock
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.keys import KeyFileError, accept_key
from toolcell.pipeline.strangers import Strangers
from toolcell.pipeline.tokens import TokenBook
from toolcell.reload import Reload
from toolcell.store.interface import Retention, StoreUnusable
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store
from toolcell.telemetry.lines import HumanLines, JsonLines, LibraryLog, Lines


class StartError(Exception):
    """The server cannot start; says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything below the doors."""

    config: Config
    clock: Clock
    lines: Lines
    store: Store
    tokens: TokenBook
    catalog: Catalog
    cells: Cells
    reload: Reload
    corridor: Corridor
    jobs: JobEngine


@contextlib.asynccontextmanager
async def build(config: Config) -> AsyncIterator[Rooms]:
    """Builds the rooms, and closes them; raises StartError when one of them cannot be."""
    level, clock = _level(config), SystemClock()
    lines: Lines = HumanLines(is_coloured=_is_coloured()) if config.is_dev else JsonLines()
    retention = Retention(config.retention_seconds, config.retention_bytes)
    async with opened(config.state, retention, clock) as store, _logged(lines):
        tokens = TokenBook(store.tokens, clock, "dev" if config.is_dev else "live")
        await tokens.load()
        await _accept_admin(config, tokens, clock)
        catalog = _catalog(config, level)
        await catalog.load()
        cells = Cells(clock=clock, level=level, max_zygotes=config.zygotes, idle_seconds=config.idle_seconds)
        snapshot, log = (lambda: catalog.snapshot), (lambda text: lines.event("error", text))
        gate = Gate(tokens, clock, Strangers(clock, lines.strangers))
        corridor = Corridor(gate, tokens, snapshot, cells, store.traces, clock, lines.invocation, log)
        jobs = JobEngine(corridor, store.jobs, most_waits=config.calls // 2)
        reload = Reload(catalog, cells, lines)
        try:
            yield Rooms(config, clock, lines, store, tokens, catalog, cells, reload, corridor, jobs)
        finally:
            await cells.close()


@contextlib.asynccontextmanager
async def opened(directory: Path, retention: Retention, clock: Clock) -> AsyncIterator[Store]:
    """Opens the store of a state directory, and closes it; raises StartError."""
    try:
        store = await open_store(directory, clock=clock, retention=retention)
    except StoreUnusable as wrong:
        raise StartError(str(wrong)) from None
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _logged(lines: Lines) -> AsyncIterator[None]:
    """Lets libraries, and the store's own threads, say what they warn of in the server's lines."""
    handler = LibraryLog(lines)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


async def _accept_admin(config: Config, tokens: TokenBook, clock: Clock) -> None:
    if config.admin_token_file is None:
        return
    try:
        await accept_key(tokens, config.admin_token_file, "admin", clock)
    except KeyFileError as wrong:
        raise StartError(f"admin.token_file: {wrong}") from None


def _catalog(config: Config, level: int) -> Catalog:
    copies, ceiling = config.state / "copies", config.ceiling
    try:
        return Catalog(config.protos, config.handlers, ceiling=ceiling, isolation_level=level, copies=copies)
    except OSError as wrong:
        raise StartError(f"{copies}: handlers cannot be copied there: {wrong.strerror}.") from None


def _level(config: Config) -> int:
    """Returns the isolation level of this machine; refuses to go on below the required one."""
    level = containment.highest_level()
    if level >= config.required_level:
        return level
    missing = "\n".join(f"  {f.name}: {f.consequence}" for f in containment.probe() if not f.present)
    raise StartError(
        f"This machine offers isolation level {level}; level {config.required_level} is required "
        f"(isolation.required). Missing:\n{missing}\n`toolcell doctor` says more."
    )


def _is_coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
