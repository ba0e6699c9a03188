"""grpc.health.v1: whether the server and each of its services take calls. Needs no token."""

from typing import Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from toolcell.transports.grpc import requests
from toolcell.transports.grpc.doors import Doors, Handler, guarded, read
from toolcell.transports.grpc.status import Context, Log
from toolcell.transports.grpc.traffic import Traffic

SERVICES: Final = (
    "",
    "toolcell.v1.ToolService",
    "toolcell.v1.TraceService",
    "toolcell.v1.AdminService",
    "grpc.health.v1.Health",
)
_CHECKS: Final = 256
_WATCHERS: Final = 64
_NAME_LENGTH: Final = 255


class Health:
    """Answers Check and Watch, each within its own bound: who has no token cannot starve the calls."""

    def __init__(self, log: Log) -> None:
        self._servicer = aio.HealthServicer()
        self._log = log

    def serve(self, doors: Doors) -> None:
        """Adds both methods to the table."""
        check: Handler = grpc.stream_unary_rpc_method_handler(
            guarded(self._check, Traffic(_CHECKS, "health checks"), self._log)
        )
        watch: Handler = grpc.stream_stream_rpc_method_handler(
            guarded(self._watch, Traffic(_WATCHERS, "health watches"), self._log),
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )
        doors.add("/grpc.health.v1.Health/Check", check)
        doors.add("/grpc.health.v1.Health/Watch", watch)

    async def begin(self) -> None:
        """Says that every service serves."""
        for service in SERVICES:
            await self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Says that none does any more, for good."""
        await self._servicer.enter_graceful_shutdown()

    async def _check(self, context: Context) -> bytes:
        """Answers Check; an unknown service is NOT_FOUND without a reason, as the health protocol has it."""
        answer = await self._servicer.Check(await _request(context), context)
        body: bytes = answer.SerializeToString()
        return body

    async def _watch(self, context: Context) -> bytes:
        """Answers Watch, which writes its answers itself."""
        await self._servicer.Watch(await _request(context), context)
        return b""


async def _request(context: Context) -> health_pb2.HealthCheckRequest:
    request = requests.decode(health_pb2.HealthCheckRequest, await read(context))
    requests.require(requests.text("service", request.service, _NAME_LENGTH))
    return request
