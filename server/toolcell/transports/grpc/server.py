"""The gRPC server: its doors, its life from start to drain, its recovery."""

import asyncio
import logging
from typing import Final

import grpc

from toolcell.transports.grpc import invoke, listen
from toolcell.transports.grpc.admin import Admin
from toolcell.transports.grpc.doors import Doors
from toolcell.transports.grpc.health import Health
from toolcell.transports.grpc.listen import Listen, ListenError
from toolcell.transports.grpc.manifest import Manifest
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.tools import Tools
from toolcell.transports.grpc.traces import Traces
from toolcell.transports.grpc.traffic import Traffic

__all__ = ["GrpcServer", "Listen", "ListenError", "Services"]

_LAST_SECONDS: Final = 1.0
_WATCH_SECONDS: Final = 0.1
_REBIND_SECONDS: Final = 0.05


class GrpcServer:
    """Serves toolcell.v1 and grpc.health.v1 on one address.

    A request whose path is not UTF-8 ends grpc.aio's accepting for good (seen in grpcio 1.85), and any
    stranger can send one. Calls in flight go on; a watch notices within 0.1 s and opens the same port again.
    """

    def __init__(self, services: Services, listen: Listen) -> None:
        self._services = services
        self._listen = listen
        self._traffic = Traffic(listen.calls)
        self._health = Health(services.log)
        self._doors = Doors(services, self._traffic, listen.message_bytes)
        self._servers: list[grpc.aio.Server] = []
        self._watch: asyncio.Task[None] | None = None
        self._address = listen.address
        self._serve()

    async def start(self) -> int:
        """Starts to listen and returns the port; raises ListenError."""
        logging.getLogger("grpc._cython.cygrpc").addFilter(is_harmless)
        port = await self._open()
        self._address = f"{self._listen.address.rpartition(':')[0]}:{port}"
        await self._health.begin()
        self._watch = asyncio.create_task(self._keep_open())
        return port

    async def drain(self, grace_seconds: float) -> None:
        """Shuts down: health says NOT_SERVING, new Invokes are refused, others have the grace to finish.

        What is not finished then is cancelled: its handler is killed, its caller told. May be called again
        meanwhile, with a shorter grace.
        """
        await self._health.drain()
        await self._traffic.drain(grace_seconds)
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.gather(*(server.stop(_LAST_SECONDS) for server in self._servers))

    def _serve(self) -> None:
        services, limit = self._services, self._listen.message_bytes
        self._doors.add_door(invoke.PATH, invoke.door(services, self._traffic, limit))
        for room in (Tools(services), Manifest(services), Traces(services), Admin(services)):
            self._doors.add_methods(room.methods())
        self._health.serve(self._doors)

    async def _open(self) -> int:
        server = grpc.aio.server(options=listen.options(self._listen))
        server.add_generic_rpc_handlers((self._doors,))
        port = listen.bind(server, self._listen, self._address)
        await server.start()
        self._servers.append(server)
        return port

    async def _keep_open(self) -> None:
        while True:
            try:
                await self._servers[-1].wait_for_termination(_WATCH_SECONDS)
            except asyncio.CancelledError:
                raise
            except Exception as crash:  # noqa: BLE001 - whatever ended it, the port must be open
                self._services.log(
                    f"gRPC stopped accepting and is opened again: {type(crash).__name__}: {crash}"
                )
                await self._reopen()

    async def _reopen(self) -> None:
        while True:
            try:
                await self._open()
                return
            except ListenError:
                await asyncio.sleep(_REBIND_SECONDS)


def is_harmless(record: logging.LogRecord) -> bool:
    """Keeps the library from logging metadata that is not UTF-8: it could be a token."""
    return not str(record.msg).startswith("Invalid encoding")
