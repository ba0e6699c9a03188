"""What accepts connections: a grpc.aio server, and the next one when a stranger has ended it.

grpcio (seen in 1.85) decodes the path of every request in its accepting loop. A path that is not UTF-8, which
anybody can send without a token, ends that loop, and with it the listening socket, for good. The calls in
flight go on. So the acceptor hears of it and opens the same port again, within milliseconds. A request that
comes in between on a connection of before is CANCELLED, by the library and without a reason; nothing was run.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import grpc

from toolcell.transports.grpc.listen import Listen, ListenError, bind, options

_LIBRARY_LOG: Final = "grpc._cython.cygrpc"
_REBIND_SECONDS: Final = 0.005
_RETIRED_SECONDS: Final = 3600.0
_LAST_SECONDS: Final = 1.0


class Acceptor:
    """Keeps one port open and gives every RPC to `handler`."""

    def __init__(self, listen: Listen, handler: grpc.GenericRpcHandler, log: Callable[[str], None]) -> None:
        self._listen = listen
        self._handler = handler
        self._log = log
        self._address = listen.address
        self._crashes = Crashes()
        self._server: grpc.aio.Server | None = None
        self._retired: dict[grpc.aio.Server, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Starts to listen and returns the port; raises ListenError."""
        port = await self._bind()
        logging.getLogger(_LIBRARY_LOG).addFilter(self._crashes)
        self._address = f"{self._listen.address.rpartition(':')[0]}:{port}"
        self._watch = asyncio.create_task(self._keep_open())
        return port

    async def close(self) -> None:
        """Stops to listen, and ends what is still connected after a second."""
        if self._watch is not None:
            self._watch.cancel()
        for task in self._retired.values():
            task.cancel()
        servers = [*self._retired, *([self._server] if self._server else [])]
        await asyncio.gather(*(server.stop(_LAST_SECONDS) for server in servers))
        logging.getLogger(_LIBRARY_LOG).removeFilter(self._crashes)

    async def _bind(self) -> int:
        server = grpc.aio.server(options=options(self._listen))
        server.add_generic_rpc_handlers((self._handler,))
        port = bind(server, self._listen, self._address)
        await server.start()
        self._server = server
        return port

    async def _keep_open(self) -> None:
        while True:
            crash = await self._crashes.next()
            self._log(f"a request ended gRPC's accepting; {self._address} is opened again: {crash!r:.200}")
            ended = self._server
            await self._rebind()
            if ended is not None:
                self._retire(ended)

    async def _rebind(self) -> None:
        while True:
            await asyncio.sleep(_REBIND_SECONDS)
            with suppress(ListenError):
                await self._bind()
                return

    def _retire(self, server: grpc.aio.Server) -> None:
        """Lets the calls of a server that accepts no more finish, then frees it."""
        task = asyncio.create_task(server.stop(_RETIRED_SECONDS))
        self._retired[server] = task
        task.add_done_callback(lambda _: self._retired.pop(server, None))


class Crashes(logging.Filter):
    """Hears of the library's crashes from its log, the only place where it tells of them at once.

    It also keeps the library from logging metadata that is not UTF-8: that could be a token.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: asyncio.Queue[BaseException] = asyncio.Queue()

    async def next(self) -> BaseException:
        """Waits for a crash."""
        return await self._found.get()

    def filter(self, record: logging.LogRecord) -> bool:
        """Takes a record of the library's log; says whether it may be written."""
        if isinstance(record.msg, BaseException):
            self._found.put_nowait(record.msg)
            return False
        return not str(record.msg).startswith("Invalid encoding")
