"""The composition root: builds every room from a configuration, serves, and shuts down cleanly."""

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import uvloop

from toolcell import __version__
from toolcell.config import Config
from toolcell.jobs.engine import JobEngine
from toolcell.jobs.ledger import JobLedger
from toolcell.model.caller import Grants
from toolcell.model.clock import SystemClock
from toolcell.model.errors import PlatformFault, ToolcellError
from toolcell.pipeline.contract import sentence
from toolcell.pipeline.enqueue import enqueue
from toolcell.pipeline.invoke import invoke
from toolcell.pipeline.keys import keep_key, write_private
from toolcell.pipeline.tokens import TokenBook
from toolcell.rooms import Rooms, StartError, build, opened
from toolcell.store.interface import Retention
from toolcell.telemetry.lines import say
from toolcell.telemetry.welcome import welcome
from toolcell.transports.grpc.admin import check_token
from toolcell.transports.grpc.server import GrpcServer, Listen, ListenError, Services


def run(config: Config, *, is_ephemeral: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then drains; a second signal cuts the draining short.

    Raises StartError before anything is served. An ephemeral server keeps its state in a folder that goes
    with it.
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
    """Makes a token in a database that no server has open and returns the bearer text.

    Raises StartError, and RequestInvalid as AdminService.CreateToken does.
    """
    check_token(caller, note, grants, ttl_seconds)

    async def create() -> str:
        clock = SystemClock()
        async with opened(state, Retention(), clock) as store:
            book = TokenBook(store.tokens, clock, "live")
            return (await book.create(caller, note, grants, ttl_seconds))[1]

    os.umask(0o077)
    return asyncio.run(create())


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with build(config) as rooms:
        try:
            await rooms.jobs.recover()
        except PlatformFault as trouble:
            raise StartError(f"The jobs of the last server cannot be taken in: {trouble}") from None
        server, address = await _listen(rooms)
        announce = _announce_dev if config.is_dev else _announce
        try:
            await announce(rooms, address)
        except StartError:
            await server.drain(0)
            raise
        _settle()
        async with rooms.reload.following(config.protos, config.handlers, when=config.is_dev):
            await stop.wait()
        stop.clear()
        rooms.lines.event("draining", "stopping: calls in flight may finish; the signal again stops at once")
        await _drain((server, rooms.jobs), stop, config.grace_seconds)
        rooms.lines.event("stopped", "stopped")


def _settle() -> None:
    """Takes what was built for good out of the garbage collector's rounds, and makes them rarer.

    A round over everything is milliseconds that every call in flight waits.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def _drain(parts: tuple[GrpcServer, JobEngine], hurry: asyncio.Event, grace_seconds: float) -> None:
    draining = asyncio.gather(*(part.drain(grace_seconds) for part in parts))
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await asyncio.gather(*(part.drain(0) for part in parts))
    await draining
    hurried.cancel()


def _services(rooms: Rooms) -> Services:
    return Services(
        invoke=invoke(rooms.corridor),
        start_job=enqueue(rooms.corridor, rooms.jobs.accept),
        jobs=JobLedger(rooms.store.jobs, rooms.jobs),
        gate=rooms.corridor.gate,
        tokens=rooms.tokens,
        traces=rooms.store.traces,
        catalog=rooms.catalog,
        reload=rooms.reload,
        clock=rooms.clock,
        level=rooms.cells.level,
        log=rooms.corridor.log,
    )


async def _listen(rooms: Rooms) -> tuple[GrpcServer, str]:
    """Starts the server; in dev a taken default port gives way to a free one. Returns it and its address."""
    config = rooms.config
    host = config.listen.rpartition(":")[0]
    tls = (config.certificate, config.key, config.client_ca)
    listen = Listen(
        config.listen,
        *tls,
        message_bytes=config.message_bytes,
        calls=config.calls,
        streams=config.streams,
        insecure=config.insecure,
        reflection=config.reflection,
    )
    choices = [listen, replace(listen, address=f"{host}:0")] if config.is_any_port else [listen]
    trouble = ""
    for choice in choices:
        server = GrpcServer(_services(rooms), choice)
        try:
            return server, f"{host}:{await server.start()}"
        except ListenError as wrong:
            trouble = str(wrong)
    raise StartError(trouble)


# ── announcing ──────────────────────────────────────────────────────────────────────────────────────────────


async def _announce(rooms: Rooms, address: str) -> None:
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
    for p in rooms.catalog.snapshot.problems:
        rooms.lines.event("problem", p.message, tool=p.tool, cause=p.cause, where=p.where, remedy=p.remedy)


async def _announce_dev(rooms: Rooms, address: str) -> None:
    """Prints what a developer needs, and leaves key and address where the command line finds them."""
    config, snapshot = rooms.config, rooms.catalog.snapshot
    key = config.state / "dev.key"
    try:
        await keep_key(rooms.tokens, key, "dev", rooms.clock)
        write_private(config.state / "address", address + "\n")
    except (OSError, ToolcellError) as wrong:
        raise StartError(
            f"The key or the address cannot be kept in {config.state}: {wrong}. Free its disk, or move away "
            "what stands in the place of dev.key or address."
        ) from None
    interrupted = rooms.store.interrupted
    problems = [
        f"{p.tool or 'file'}: {p.cause}: {sentence(p.where, p.message, p.remedy)}" for p in snapshot.problems
    ]
    text = welcome(
        __version__,
        address,
        key=str(key),
        is_tls=config.certificate is not None,
        level=rooms.cells.level,
        tools=[name for name, entry in snapshot.entries.items() if entry.tool.unavailable is None],
        notes=[f"{interrupted} calls were interrupted when the last server died"] if interrupted else [],
        problems=problems,
    )
    say(sys.stdout, text)
