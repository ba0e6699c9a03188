"""What is in flight: how much of it is taken, and how it comes to rest when the server drains."""

import asyncio
from typing import Any

from toolcell.model.errors import ServerDraining, ServerOverloaded

_LAST_WORDS_SECONDS = 5.0
_CROWD = 32

RpcTask = asyncio.Task[Any]


class Traffic:
    """Counts RPCs in flight, at most `limit` of `what`; the library's bound would refuse without a reason."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._tasks: set[RpcTask] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_draining = False
        self.is_cut_off = False

    @property
    def is_crowded(self) -> bool:
        """Tells whether so much is in flight that strangers must not add to it."""
        return len(self._tasks) > _CROWD

    def enter(self, task: RpcTask) -> None:
        """Counts an RPC in; raises ServerOverloaded when too many are in flight."""
        if len(self._tasks) >= self._limit:
            raise ServerOverloaded(
                f"The server has {self._limit} {self._what} in flight, its limit. Nothing was run. Send the "
                "request again after the retry delay."
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
