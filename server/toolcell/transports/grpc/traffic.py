"""What is in flight: how much of it is taken, and how it comes to rest when the server drains."""

import asyncio
from typing import Any

from toolcell.model.errors import ServerDraining, ServerOverloaded

_LAST_WORDS_SECONDS = 5.0

RpcTask = asyncio.Task[Any]


class Traffic:
    """Counts the RPCs in flight, at most `limit`; the library's own bound would refuse without a reason.

    `what` they are and the setting that bounds them are for the refusal's words.
    """

    def __init__(self, limit: int, what: str = "requests in flight", setting: str = "grpc.calls") -> None:
        self._limit, self._what, self._setting = limit, what, setting
        self._tasks: set[RpcTask] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_draining = False
        self.is_cut_off = False

    def enter(self, task: RpcTask) -> None:
        """Counts an RPC in; raises ServerOverloaded when too many are in flight."""
        if len(self._tasks) >= self._limit:
            raise ServerOverloaded(
                f"The server has {self._limit} {self._what}, its limit (`{self._setting}`). Nothing was "
                "run. Send the request again after the retry delay."
            )
        self._tasks.add(task)
        self._idle.clear()

    def leave(self, task: RpcTask) -> None:
        """Counts an RPC out."""
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    def take_new(self) -> None:
        """Raises ServerDraining once the server takes no new calls."""
        if self.is_draining:
            raise draining()

    async def drain(self, grace_seconds: float) -> None:
        """Refuses new calls, lets those in flight finish within the grace, then cancels the rest."""
        self.is_draining = True
        if await self._rests(grace_seconds):
            return
        self.is_cut_off = True
        for task in tuple(self._tasks):
            task.cancel()
        await self._rests(_LAST_WORDS_SECONDS)

    async def _rests(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def draining() -> ServerDraining:
    """Makes the refusal of a call that came too late, or was cut off before anything was run."""
    return ServerDraining(
        "The server is shutting down and takes no new calls. Nothing was run. Send the request to another "
        "server, or again once this one is back."
    )
