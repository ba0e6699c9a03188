"""grpc.health.v1: whether the server, its services and its tools take calls.

The server's own names need no token. Those of tools, `tool/<name>` and the tools' services, are shown to whom
reflection shows their contracts; for everybody else they do not exist.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import grpc
from grpc_health.v1 import health_pb2 as pb

from toolcell.contracts.catalog import Snapshot
from toolcell.model.caller import Grants
from toolcell.model.errors import TokenMissing
from toolcell.transports.grpc import requests
from toolcell.transports.grpc.doors import Doors, Handler, guarded, read
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.sight import Sight
from toolcell.transports.grpc.status import Context
from toolcell.transports.grpc.traffic import Traffic

TOOL: Final = "tool/"
_CHECKS: Final = 256
_WATCHERS: Final = 64
_NAME_LENGTH: Final = 255

_Response = pb.HealthCheckResponse
_UNKNOWN: Final = _Response.SERVICE_UNKNOWN


class Health:
    """Answers Check and Watch, each within its own bound: who has no token cannot starve the calls."""

    def __init__(self, services: Services, sight: Sight) -> None:
        self._catalog = services.catalog
        self._sight = sight
        self._log = services.log
        self._own: frozenset[str] = frozenset()
        self._is_serving = False
        self._changed = asyncio.Event()
        services.catalog.listen(self._tell)

    def serve(self, doors: Doors) -> None:
        """Adds both methods to the table."""
        check: Handler = grpc.stream_unary_rpc_method_handler(
            guarded(self._check, Traffic(_CHECKS, "health checks"), self._log)
        )
        watch: Handler = grpc.stream_stream_rpc_method_handler(
            guarded(self._watch, Traffic(_WATCHERS, "health watches"), self._log)
        )
        doors.add("/grpc.health.v1.Health/Check", check)
        doors.add("/grpc.health.v1.Health/Watch", watch)

    def begin(self, own: Iterable[str]) -> None:
        """Says that the server and its own services serve."""
        self._own = frozenset(("", *own))
        self._is_serving = True
        self._tell()

    def drain(self) -> None:
        """Says that nothing is served any more."""
        self._is_serving = False
        self._tell()

    async def _check(self, context: Context) -> bytes:
        """Answers Check; an unknown service is NOT_FOUND without a reason, as the health protocol has it."""
        status = self._status(await _service(context), context)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        body: bytes = _Response(status=status).SerializeToString()
        return body

    async def _watch(self, context: Context) -> bytes:
        """Writes the status there is now, and each other one from then on, until the client goes."""
        service, last = await _service(context), None
        while True:
            changed = self._changed
            status = self._status(service, context)
            if status != last:
                await context.write(_Response(status=status).SerializeToString())
                last = status
            await changed.wait()

    def _tell(self) -> None:
        """Wakes the watchers; each looks for itself."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _status(self, service: str, context: Context) -> int:
        if service in self._own:
            return self._said(is_well=True)
        if self._sight.is_stranger(context):
            return _stranger(service)
        states = _states(self._catalog.snapshot, service, self._sight.grants(context))
        return self._said(is_well=any(states)) if states else int(_UNKNOWN)

    def _said(self, *, is_well: bool) -> int:
        return int(_Response.SERVING if is_well and self._is_serving else _Response.NOT_SERVING)


def _stranger(service: str) -> int:
    if service.startswith(TOOL):
        raise TokenMissing("The health of a tool needs a token. Send `authorization: Bearer tc_…` metadata.")
    return int(_UNKNOWN)


def _states(snapshot: Snapshot, service: str, grants: Grants) -> list[bool]:
    """Returns of each granted tool that a name stands for whether it can run."""
    if service.startswith(TOOL):
        entry = snapshot.entries.get(service.removeprefix(TOOL))
        entries = [entry] if entry is not None else []
    else:
        entries = [e for e in snapshot.entries.values() if e.tool.path.startswith(f"/{service}/")]
    return [e.tool.unavailable is None for e in entries if grants.includes(e.tool.name)]


async def _service(context: Context) -> str:
    request = requests.decode(pb.HealthCheckRequest, await read(context))
    requests.require(requests.text("service", request.service, _NAME_LENGTH))
    return str(request.service)
