"""The gRPC server: its doors, and its life from start to drain."""

import asyncio

from toolcell.transports.grpc import invoke, turns
from toolcell.transports.grpc.acceptor import Acceptor
from toolcell.transports.grpc.admin import Admin
from toolcell.transports.grpc.doors import Doors
from toolcell.transports.grpc.health import Health
from toolcell.transports.grpc.jobs import START, Jobs
from toolcell.transports.grpc.listen import Listen, ListenError
from toolcell.transports.grpc.manifest import Manifest
from toolcell.transports.grpc.native import Native
from toolcell.transports.grpc.reflection import Reflection
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.sight import OFF, Sight
from toolcell.transports.grpc.streams import Streams
from toolcell.transports.grpc.tools import Tools
from toolcell.transports.grpc.traces import Traces
from toolcell.transports.grpc.traffic import Traffic

__all__ = ["GrpcServer", "Listen", "ListenError", "Services"]


class GrpcServer:
    """Serves toolcell.v1, the tools' own methods, health and reflection on one address."""

    def __init__(self, services: Services, listen: Listen) -> None:
        self._traffic = Traffic(listen.calls, "requests (`grpc.calls`)")
        self._streams = Streams(services, self._traffic, listen.streams, listen.message_bytes)
        sight = Sight(services.gate, listen.reflection)
        self._health = Health(services, sight)
        self._reflection = None if sight.mode == OFF else Reflection(services, sight)
        self._doors = self._make_doors(services, listen.message_bytes)
        self._acceptor = Acceptor(listen, self._doors, services.log)
        self._closing: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Starts to listen and returns the port; raises ListenError."""
        own = self._doors.services()
        self._health.begin(own)
        if self._reflection is not None:
            self._reflection.begin(own)
        return await self._acceptor.open()

    async def drain(self, grace_seconds: float) -> None:
        """Shuts down: health says NOT_SERVING, new Invokes are refused, others have the grace to finish.

        What is not finished then is cancelled: its handler is killed, its caller told. Streams end last. May
        be called again meanwhile, with a shorter grace.
        """
        self._health.drain()
        await self._traffic.drain(grace_seconds)
        await self._streams.drain()  # after the calls, so that streams tell how those ended
        if self._closing is None:
            self._closing = asyncio.create_task(self._acceptor.close())
        await asyncio.shield(self._closing)

    def _make_doors(self, services: Services, message_bytes: int) -> Doors:
        doors = Doors(services, self._traffic, message_bytes)
        doors.add_door(invoke.PATH, invoke.door(services, self._traffic, message_bytes))
        doors.add_door(turns.PATH, turns.door(services, self._traffic, message_bytes))
        jobs = Jobs(services, self._traffic, message_bytes)
        doors.add_door(START, jobs.start)
        for room in (Tools(services), Manifest(services), jobs, Traces(services), Admin(services)):
            doors.add_methods(room.methods())
        self._streams.serve(doors)
        Native(services, self._traffic, message_bytes).serve(doors)
        self._health.serve(doors)
        if self._reflection is not None:
            self._reflection.serve(doors)
        return doors
