"""One table, path to door, and what every door shares: authentication first, bounds, errors as statuses.

Handlers are of the streaming kind although every request is one message: so the caller is authenticated
before its body is read, and a client that sends no message is told so instead of waiting forever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from toolcell.model.caller import Caller
from toolcell.model.errors import MethodNotFound, RequestInvalid, ToolcellError, Violation
from toolcell.transports.grpc import requests
from toolcell.transports.grpc.services import Services
from toolcell.transports.grpc.status import Context, Log, internal, refuse
from toolcell.transports.grpc.traffic import Traffic, draining

BODY_SECONDS: Final = 30.0
_LATE: Final = "the request's message did not come in time"
_NEAR_CHARS: Final = 200

T = TypeVar("T")
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Answer = Callable[[Context], Awaitable[bytes]]
"""Takes an RPC and returns the bytes of its answer; raises ToolcellError to refuse."""

Rest = Callable[[str, Context], Awaitable[bytes]]
"""Takes an RPC whose path is not in the table; authenticates before anything else."""


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the table: an RPC, the grant group it needs, its request, and the function that answers."""

    path: str
    group: str
    request: type[Message]
    answer: Callable[[Caller, Any], Awaitable[bytes]]


class Doors(grpc.GenericRpcHandler):
    """Claims every path there is. What is not in the table goes to the rest, which must be set first."""

    _rest: Rest

    def __init__(self, services: Services, traffic: Traffic, message_bytes: int) -> None:
        self._services = services
        self._traffic = traffic
        self._message_bytes = message_bytes
        self._table: dict[str, Handler] = {}

    def add_rest(self, rest: Rest) -> None:
        """Has every path that is not in the table answered by a function."""
        self._rest = rest

    def add(self, path: str, handler: Handler) -> None:
        """Serves a path with a handler of its own."""
        self._table[path] = handler

    def add_methods(self, methods: Iterable[Method]) -> None:
        """Serves the rows of a table: admit, read, bound, decode, answer."""
        for method in methods:
            self.add_door(method.path, self._door(method))

    def add_door(self, path: str, answer: Answer) -> None:
        """Serves a path with a function that does everything itself but the traffic and the statuses."""
        self.add(
            path, grpc.stream_unary_rpc_method_handler(guarded(answer, self._traffic, self._services.log))
        )

    def services(self) -> frozenset[str]:
        """Returns the names of the services whose methods are in the table."""
        return frozenset(path.split("/")[1] for path in self._table)

    def unknown(self, path: str, others: Iterable[str] = ()) -> MethodNotFound:
        """Makes the refusal of a path that nobody serves; `others` are paths besides those of the table."""
        shown = path[:_NEAR_CHARS]
        near = get_close_matches(shown, [*self._table, *others], 1)
        hint = f"Did you mean {near[0]}?" if near else "Server reflection lists the methods there are."
        return MethodNotFound(f"There is no method {shown}, or not for this token. {hint}", method=path)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """Returns the handler of a path."""
        return self._table.get(handler_call_details.method) or self._path_unknown(handler_call_details.method)

    def _door(self, method: Method) -> Answer:
        admit, limit = self._services.gate.admit, self._message_bytes

        async def answer(context: Context) -> bytes:
            caller = admit(credentials(context)[0], method.group)
            body = await read(context)
            requests.bound_size(body, limit)
            return await method.answer(caller, requests.decode(method.request, body))

        return answer

    def _path_unknown(self, path: str) -> Handler:
        async def answer(context: Context) -> bytes:
            return await self._rest(path, context)

        return grpc.stream_unary_rpc_method_handler(guarded(answer, self._traffic, self._services.log))


def credentials(context: Context) -> tuple[str, str]:
    """Returns the `authorization` and `traceparent` metadata, or "" for each.

    Several `authorization` entries are joined with commas, as HTTP does, and so are no token: none of them is
    better than the other.
    """
    authorization = traceparent = ""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            authorization = f"{authorization}, {value!s}" if authorization else str(value)
        elif key == "traceparent":
            traceparent = str(value)
    return authorization, traceparent


async def read(context: Context) -> bytes:
    """Reads the one message of a request; raises RequestInvalid when none comes, or none within 30 s."""
    body = await next_message(context, BODY_SECONDS)
    if body is None:
        raise _no_message("the request ended without a message")
    return body


async def next_message(context: Context, seconds: float) -> bytes | None:
    """Reads the next message of a stream, None at its end; raises RequestInvalid when none comes in time.

    A plain timer, as asyncio.timeout costs 10 µs and this is on the way of every call.
    """
    task = current_task()
    alarm = asyncio.get_running_loop().call_later(seconds, task.cancel, _LATE)
    try:
        body = await context.read()
    except asyncio.CancelledError as gone:
        if gone.args != (_LATE,):
            raise
        task.uncancel()
        raise _no_message(_LATE) from None
    finally:
        alarm.cancel()
    return body if isinstance(body, bytes) else None


def current_task() -> asyncio.Task[Any]:
    """Returns the task of this RPC."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("an RPC is answered in a task")
    return task


def guarded(
    answer: Callable[[Context], Awaitable[T]], traffic: Traffic, log: Log
) -> Callable[[object, Context], Awaitable[T]]:
    """Returns a handler: counts the RPC, and turns whatever is raised into a status that has a reason."""

    async def handle(_: object, context: Context) -> T:
        task = current_task()
        try:
            traffic.enter(task)
            try:
                return await answer(context)
            finally:
                traffic.leave(task)
        except ToolcellError as error:
            await refuse(context, error)
        except asyncio.CancelledError:
            if not traffic.is_cut_off:
                raise
            task.uncancel()
            await refuse(context, draining())
        except grpc.aio.AbortError:
            raise  # a status was sent already
        except Exception as bug:  # noqa: BLE001 - whatever it is, the caller hears INTERNAL_ERROR and the log the rest
            await refuse(context, internal(bug, log))

    return handle


def _no_message(what: str) -> RequestInvalid:
    return RequestInvalid(
        f"No request came: {what}. Send exactly one message of at most the server's `grpc.message` bytes.",
        violations=[Violation("", what, "NO_MESSAGE")],
    )
