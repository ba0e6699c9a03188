"""The one thread that writes: what waits becomes one transaction, and its callers are told after its commit.

When an operation fails, all are run again, each in a savepoint of its own, so that it does not fail its
neighbours. An `idle` operation runs alone, when nothing else is there.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from toolcell.model.errors import PlatformFault, StoreUnavailable

_MOST_WAITING: Final = 4096
_MOST_AT_ONCE: Final = 512


class Connection(Protocol):
    """What the writer needs of a connection that is in no transaction by itself."""

    def execute(self, statement: str, /) -> object:
        """Runs one statement."""
        ...


@dataclass(slots=True)
class _Operation:
    run: Callable[[], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing side of a connection until it is closed; `submit` is for the event loop's thread."""

    def __init__(self, connection: Connection, refusal: Callable[[Exception], Exception]) -> None:
        """`refusal` turns an exception of the database into the one that callers see."""
        self._connection = connection
        self._refusal = refusal
        self._loop = asyncio.get_running_loop()
        self._wanted: deque[_Operation] = deque()
        self._idle: deque[_Operation] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="toolcell-store-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[], Any], *, idle: bool = False) -> asyncio.Future[Any]:
        """Queues an operation; the future has what it returned, once that is durable.

        An `idle` operation is in no transaction: it begins and ends its own. Raises StoreUnavailable when too
        many wait.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        lane = self._idle if idle else self._wanted
        with self._changed:
            if self._closing or len(lane) >= _MOST_WAITING:
                why = "is closed" if self._closing else "has too much to write"
                raise StoreUnavailable(f"The database {why}. Try again in a moment.", retry_after=1.0)
            lane.append(_Operation(run, future))
            self._changed.notify()
        return future

    async def close(self) -> None:
        """Writes what waits, then ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while batch := self._next():
            operations, alone = batch
            if alone:
                self._attempt(operations[0])
            else:
                self._commit(operations)
            try:
                self._loop.call_soon_threadsafe(_settle, operations)
            except RuntimeError:  # the loop was closed over our head: nobody waits
                return

    def _next(self) -> tuple[list[_Operation], bool] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._idle or self._closing)
            if self._wanted:
                count = min(len(self._wanted), _MOST_AT_ONCE)
                return [self._wanted.popleft() for _ in range(count)], False
            if self._idle:
                return [self._idle.popleft()], True
            return None

    def _attempt(self, operation: _Operation) -> None:
        try:
            operation.result = operation.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, its caller hears it and the thread lives on
            operation.error = self._refusal(error)

    def _commit(self, operations: list[_Operation]) -> None:
        """Runs a batch as one transaction; when that fails, none of it happened and everybody hears it."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            if not self._run_plainly(operations):
                self._roll_back()
                execute("BEGIN IMMEDIATE")
                self._run_apart(operations)
            execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - as above, for the whole batch
            self._roll_back()
            known = (each.error for each in operations if isinstance(each.error, PlatformFault))
            cause = next(known, None) or self._refusal(error)
            for operation in operations:
                operation.error = operation.error or cause

    def _run_plainly(self, operations: list[_Operation]) -> bool:
        """Runs a batch as if nothing could be wrong; returns False, and forgets it, when something was."""
        for operation in operations:
            self._attempt(operation)
            if operation.error is not None:
                for each in operations:
                    each.result = each.error = None
                return False
        return True

    def _run_apart(self, operations: list[_Operation]) -> None:
        """Runs a batch so that a bad operation fails alone; a savepoint costs three times a row."""
        execute = self._connection.execute
        for operation in operations:
            execute("SAVEPOINT operation")
            self._attempt(operation)
            if operation.error is not None:
                execute("ROLLBACK TO operation")
            execute("RELEASE operation")

    def _roll_back(self) -> None:
        with contextlib.suppress(Exception):  # a full or failing disk may have rolled back already
            self._connection.execute("ROLLBACK")


def _settle(operations: list[_Operation]) -> None:
    for operation in operations:
        if operation.future.done():  # its caller has gone
            continue
        if operation.error is not None:
            operation.future.set_exception(operation.error)
        else:
            operation.future.set_result(operation.result)
