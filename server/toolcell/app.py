"""The composition root: builds every room from a configuration, serves, and shuts down cleanly."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from toolcell import __version__
from toolcell.cells import containment
from toolcell.cells.pool import Cells
from toolcell.config import Config
from toolcell.contracts.catalog import Catalog, Changes
from toolcell.model.caller import Grants
from toolcell.model.clock import Clock, SystemClock
from toolcell.pipeline.invoke import invoke
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.keys import KeyFileError, accept_key, keep_key, write_private
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Retention
from toolcell.store.sqlite import Store, open_store
from toolcell.telemetry.lines import HumanLines, JsonLines, Lines
from toolcell.transports.grpc.server import GrpcServer, Listen, Services

_KEY_FILE, _ADDRESS_FILE = "dev.key", "address"


class StartError(Exception):
    """The server cannot start; says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The parts of a running server that the app itself talks to."""

    config: Config
    store: Store
    tokens: TokenBook
    catalog: Catalog
    cells: Cells
    server: GrpcServer
    lines: Lines


def run(config: Config, *, is_ephemeral: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then drains; a second signal cuts the draining short.

    Raises StartError before anything is served. An ephemeral server keeps its state in a folder that goes with it.
    """
    os.umask(0o077)
    if not is_ephemeral:
        uvloop.run(_serve(config))
        return
    folder = tempfile.mkdtemp(prefix="toolcell-")
    try:
        uvloop.run(_serve(replace(config, state=Path(folder))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def create_token_offline(
    state: Path, caller: str, grants: Grants, note: str, ttl_seconds: float | None
) -> str:
    """Makes a token in a database that no server has open, and returns the bearer text; raises StartError."""

    async def create() -> str:
        clock = SystemClock()
        async with _store(state, Retention(), clock) as store:
            return (await TokenBook(store.tokens, clock, "live").create(caller, note, grants, ttl_seconds))[1]

    os.umask(0o077)
    return asyncio.run(create())


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with _build(config) as rooms:
        port = await _listen(rooms)
        address = f"{config.listen.rpartition(':')[0]}:{port}"
        if config.is_dev:
            await _announce_dev(rooms, address)
        else:
            _announce(rooms, address)
        await stop.wait()
        stop.clear()
        rooms.lines.event("draining", "stopping: waiting for calls in flight; once more to stop at once")
        drain = asyncio.ensure_future(rooms.server.drain(config.grace_seconds))
        hurry = asyncio.ensure_future(stop.wait())
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            await rooms.server.drain(0)
        await drain
        hurry.cancel()


@contextlib.asynccontextmanager
async def _build(config: Config) -> AsyncIterator[Rooms]:
    """Builds the rooms from the bottom up and closes them from the top down."""
    level = _level(config)
    clock: Clock = SystemClock()
    lines: Lines = HumanLines(is_coloured=_is_coloured()) if config.is_dev else JsonLines()
    retention = Retention(config.retention_seconds, config.retention_bytes)
    async with _store(config.state, retention, clock) as store:
        tokens = TokenBook(store.tokens, clock, "dev" if config.is_dev else "live")
        await tokens.load()
        if config.admin_token_file:
            try:
                await accept_key(tokens, config.admin_token_file, "admin", clock)
            except KeyFileError as wrong:
                raise StartError(f"admin.token_file: {wrong}") from None
        catalog = Catalog(config.protos, config.handlers, ceiling=config.ceiling, isolation_level=level)
        await catalog.load()
        cells = Cells(clock=clock, level=level, max_zygotes=config.zygotes, idle_seconds=config.idle_seconds)
        try:
            server = GrpcServer(_services(config, store, tokens, catalog, cells, clock, lines), _listening(config))
            yield Rooms(config, store, tokens, catalog, cells, server, lines)
        finally:
            await cells.close()


@contextlib.asynccontextmanager
async def _store(directory: Path, retention: Retention, clock: Clock) -> AsyncIterator[Store]:
    store = await open_store(directory, clock=clock, retention=retention)
    try:
        yield store
    finally:
        await store.close()


def _services(
    config: Config, store: Store, tokens: TokenBook, catalog: Catalog, cells: Cells, clock: Clock, lines: Lines
) -> Services:
    gate = Gate(tokens, clock)
    change = asyncio.Lock()

    def log(text: str) -> None:
        lines.event("error", text)

    async def reload() -> Changes:
        async with change:
            changes = await catalog.load()
            cells.retire({entry.tool.revision for entry in catalog.snapshot.entries.values()})
        lines.event("reloaded", "tools were reloaded", changed=len(changes.changed), problems=len(changes.problems))
        return changes

    return Services(
        invoke=invoke(
            gate=gate,
            snapshot=lambda: catalog.snapshot,
            cells=cells,
            traces=store.traces,
            clock=clock,
            observe=lines.invocation,
            log=log,
        ),
        gate=gate,
        tokens=tokens,
        traces=store.traces,
        catalog=catalog,
        reload=reload,
        clock=clock,
        level=cells.level,
        log=log,
    )


def _level(config: Config) -> int:
    """The isolation level of this machine; refuses to go on below the required one."""
    level = containment.highest_level()
    if level >= config.required_level:
        return level
    missing = "\n".join(f"  {f.name}: {f.consequence}" for f in containment.probe() if not f.present)
    raise StartError(
        f"This machine offers isolation level {level}; level {config.required_level} is required "
        f"(isolation.required). Missing:\n{missing}\n`toolcell doctor` says more."
    )


def _listening(config: Config) -> Listen:
    return Listen(
        config.listen,
        certificate=config.certificate,
        key=config.key,
        client_ca=config.client_ca,
        message_bytes=config.message_bytes,
    )


async def _listen(rooms: Rooms) -> int:
    try:
        return await rooms.server.start()
    except OSError as wrong:
        raise StartError(f"cannot listen on {rooms.config.listen}: {wrong}. Is another server running there?") from None


def _is_coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


# ── announcing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _announce(rooms: Rooms, address: str) -> None:
    entries = rooms.catalog.snapshot.entries.values()
    rooms.lines.event(
        "serving",
        f"Toolcell {__version__} serves gRPC",
        address=address,
        tls=rooms.config.certificate is not None,
        isolation_level=rooms.cells.level,
        tools=sum(entry.tool.unavailable is None for entry in entries),
        interrupted=rooms.store.interrupted,
    )
    for problem in rooms.catalog.snapshot.problems:
        rooms.lines.event(
            "problem", problem.message, tool=problem.tool, cause=problem.cause, where=problem.where, remedy=problem.remedy
        )


async def _announce_dev(rooms: Rooms, address: str) -> None:
    """Prints what a developer needs, and leaves key and address where the command line finds them."""
    state = rooms.config.state
    await keep_key(rooms.tokens, state / _KEY_FILE, "dev", SystemClock())
    write_private(state / _ADDRESS_FILE, address + "\n")
    snapshot = rooms.catalog.snapshot
    tools = [name for name, entry in snapshot.entries.items() if entry.tool.unavailable is None]
    rows = [
        ("serving", f"{address}  gRPC{'' if rooms.config.certificate else ', plaintext, this machine only'}"),
        ("key", f"{state / _KEY_FILE}  for others: authorization: Bearer $(cat {state / _KEY_FILE})"),
        ("isolation", f"level {rooms.cells.level}  a fresh confined process for every call"),
        ("tools", ", ".join(tools) or "none yet: write a method in a .proto and handlers/<tool>/handler.py"),
    ]
    if rooms.store.interrupted:
        rows.append(("note", f"{rooms.store.interrupted} calls were interrupted when the last server died"))
    rows += [
        ("problem", f"{p.tool or p.where}: {p.cause}: {p.message} {p.remedy}".rstrip()) for p in snapshot.problems
    ]
    print(f"Toolcell {__version__}", *(f"  {name:<10} {text}" for name, text in rows), sep="\n")
    print("Ctrl-C stops it. One line a call:", flush=True)
