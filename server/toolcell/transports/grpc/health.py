"""grpc.health.v1: whether the server and each of its services take calls. Needs no token."""

from typing import Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from toolcell.model.errors import ServerOverloaded, ToolcellError
from toolcell.transports.grpc import requests
from toolcell.transports.grpc.doors import Doors, Handler, read
from toolcell.transports.grpc.status import Context, Log, internal, refuse

SERVICES: Final = (
    "",
    "toolcell.v1.ToolService",
    "toolcell.v1.TraceService",
    "toolcell.v1.AdminService",
    "grpc.health.v1.Health",
)
_WATCHERS: Final = 64
_NAME_LENGTH: Final = 255


class Health:
    """Answers Check and Watch. Watchers are bounded apart from the calls: neither can starve the other."""

    def __init__(self, log: Log) -> None:
        self._servicer = aio.HealthServicer()
        self._watchers = 0
        self._log = log

    def serve(self, doors: Doors) -> None:
        """Adds both methods to the table."""
        doors.add_door("/grpc.health.v1.Health/Check", self._check)
        watch: Handler = grpc.stream_stream_rpc_method_handler(
            self._watch, response_serializer=health_pb2.HealthCheckResponse.SerializeToString
        )
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

    async def _watch(self, _: object, context: Context) -> None:
        try:
            request = await _request(context)
            if self._watchers >= _WATCHERS:
                raise ServerOverloaded(f"{_WATCHERS} clients watch the server's health already. Use Check.")
        except ToolcellError as error:
            await refuse(context, error)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the caller hears INTERNAL_ERROR and the log the rest
            await refuse(context, internal(bug, self._log))
        self._watchers += 1
        try:
            await self._servicer.Watch(request, context)
        finally:
            self._watchers -= 1


async def _request(context: Context) -> health_pb2.HealthCheckRequest:
    request = requests.decode(health_pb2.HealthCheckRequest, await read(context))
    requests.require(requests.text("service", request.service, _NAME_LENGTH))
    return request
