"""Doors whose stream stays open: bounded apart from the calls, so that neither can starve the other."""

from collections.abc import Awaitable, Callable

import grpc

from toolcell.model.errors import ServerOverloaded, ToolcellError
from toolcell.transports.grpc.doors import Handler
from toolcell.transports.grpc.status import Context, Log, internal, refuse


class Streams:
    """Counts the open streams of one kind, at most `most`; `what` names them for who is one too many."""

    def __init__(self, most: int, what: str, log: Log) -> None:
        self._most = most
        self._what = what
        self._log = log
        self._open = 0

    def door(self, answer: Callable[[Context], Awaitable[None]]) -> Handler:
        """Returns the handler of a path: bytes in and out, errors as statuses."""

        async def handle(_: object, context: Context) -> None:
            try:
                self._enter()
                try:
                    await answer(context)
                finally:
                    self._open -= 1
            except ToolcellError as error:
                await refuse(context, error)
            except Exception as bug:  # noqa: BLE001 - whatever it is, the caller hears INTERNAL_ERROR and the log the rest
                await refuse(context, internal(bug, self._log))

        return grpc.stream_stream_rpc_method_handler(handle)

    def _enter(self) -> None:
        if self._open >= self._most:
            raise ServerOverloaded(f"{self._most} {self._what} already. Try again later.")
        self._open += 1
