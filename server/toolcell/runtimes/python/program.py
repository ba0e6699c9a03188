"""The Python runtime: imports the handler in the zygote, and in a cell takes one call, runs it, answers.

It speaks the cell conversation on descriptor 3 (runtimes/README.md) with the standard library alone.
"""

import _thread
import contextlib
import gc
import json
import os
import signal
import struct
import sys
import time
from importlib import import_module

from toolcell.runtimes.python import cell as offered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_CHANNEL = 3
_LENGTH = struct.Struct(">I")
_READ_BYTES = 16 * 1024
_STACK_LIMIT = 16 * 1024
_MESSAGE_LIMIT = 8 * 1024
_PLACE_LIMIT = 200
_THREAD_STACK = 1 << 20
_CO_COROUTINE = 0x80
_TERMINATED = 143

_sending = _thread.allocate_lock()


def prepare(setup: "dict[str, Any]") -> "Program":
    """Makes the process ready to be forked: the handler imported, unless it is to be imported in each cell.

    Raises whatever the import raises, and ImportError when the handler is not what the policy says.
    """
    sys.modules["toolcell"] = offered
    offered.__name__ = "toolcell"
    sys.path.insert(0, setup["directory"])
    _names.append((setup["directory"], setup["place"]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    _thread.stack_size(_THREAD_STACK)
    program = Program(setup["module"], setup["function"])
    if setup["preload"]:
        program.load()
    signal.signal(signal.SIGTERM, _stop)
    _rehearse()
    gc.collect()
    gc.freeze()
    gc.disable()
    return program


def describe(error: BaseException) -> "dict[str, Any]":
    """Returns type, message and stack of an exception, bounded, without the runtime's own frames."""
    try:
        import traceback

        shown = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename not in _OURS and not frame.filename.startswith("<frozen importlib")
        ]
        stack = "".join(traceback.format_list(shown) + traceback.format_exception_only(error))
        for directory, place in _names:
            stack = stack.replace(directory, place or directory)
    except Exception:  # noqa: BLE001 - a hostile exception, or no memory left: told without a stack
        stack = ""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception's own __str__ may raise
        message = ""
    return {
        "type": offered.clean(type(error).__name__, 200),
        "message": offered.clean(message, _MESSAGE_LIMIT),
        "stack": offered.clean(stack[-_STACK_LIMIT:], _STACK_LIMIT),
    }


def describe_import(error: BaseException) -> "dict[str, Any]":
    """Describes an exception of an import, with its place: `file:line:column` in the handler's directory."""
    try:
        where = _place(error)
    except Exception:  # noqa: BLE001 - a hostile exception, or no memory left: told without a place
        where = ""
    return describe(error) | {"where": offered.clean(where, _PLACE_LIMIT)}


def _place(error: BaseException) -> str:
    import traceback

    places = [(f.filename, f.lineno, f.colno) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno, (error.offset or 1) - 1))
    for file, line, column in reversed(places):
        for directory, _ in _names:
            if file.startswith(directory + "/"):
                return f"{file[len(directory) + 1 :]}:{line or 1}:{(column or 0) + 1}"
    return ""


_OURS = frozenset((__file__, offered.__file__, sys.argv[0]))
_names: "list[tuple[str, str]]" = []  # the handler's directory, and what people call it


class Program:
    """The handler of one tool."""

    def __init__(self, module: str, function: str) -> None:
        self._module = module
        self._function = function
        self._handler: Callable[..., Any] | None = None

    def load(self) -> None:
        """Imports the handler; raises what that raises, and ImportError when there is no such function."""
        handler = getattr(import_module(self._module), self._function, None)
        if not callable(handler):
            raise ImportError(  # noqa: TRY004 - for its author the handler is what does not import
                f"{self._module} has no function {self._function}: "
                f"write `def {self._function}(arguments, cell):`"
            )
        if getattr(getattr(handler, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
            import_module("asyncio")  # once here, not in every cell
        self._handler = handler

    def run(self) -> "NoReturn":
        """Is one cell: says it is ready, takes the call, answers, and waits to be killed."""
        gc.enable()
        _rehearse()
        if self._handler is None:
            try:
                self.load()
            except BaseException as error:  # noqa: BLE001 - whatever an import raises is told
                _send("import_failed", describe_import(error))
                _wait_for_the_end()
        _send("ready", {})
        call = _receive()
        told = offered.Cell(call, _send)
        answer, failure = self._attempt(call, told)
        _flush()
        if failure is None:
            _send_text(f'{{"kind":"result","dropped":{told.dropped},"value":{answer}}}')
        else:
            _send("failure", failure | {"dropped": told.dropped})
        _wait_for_the_end()

    def _attempt(self, call: "dict[str, Any]", told: "offered.Cell") -> "tuple[str, dict[str, Any] | None]":
        try:
            value = self._handler(call["arguments"], told)  # type: ignore[misc]
            if hasattr(value, "__await__"):
                value = _drive(value)
        except offered.ToolError as error:
            return "", _failure("declared", error)
        except MemoryError as error:
            return "", _failure("out_of_memory", error)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises, even SystemExit, is told
            return "", _failure("raised", error)
        return _answer(value, call["output_limit_bytes"])


def _answer(value: "Any", limit: int) -> "tuple[str, dict[str, Any] | None]":
    try:
        text = _dump(value)
        if (size := len(text.encode())) > limit:
            raise OverflowError(f"the answer is {size} bytes as JSON, the limit is {limit}")
    except OverflowError as error:
        return "", _failure("output_too_large", error)
    except MemoryError as error:
        return "", _failure("out_of_memory", error)
    except (TypeError, ValueError, RecursionError) as error:
        return "", _failure("output_invalid", error)
    return text, None


def _failure(cause: str, error: BaseException) -> "dict[str, Any]":
    declared = error if isinstance(error, offered.ToolError) else None
    return describe(error) | {
        "cause": cause,
        "code": declared.code if declared else "",
        "retryable": declared.retryable if declared else False,
        "details": declared.details if declared else {},
    }


def _drive(awaitable: "Any") -> "Any":
    import asyncio

    async def main() -> "Any":
        return await awaitable

    return asyncio.run(main())


def _dump(value: "Any") -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _send(kind: str, fields: "dict[str, Any]") -> None:
    _send_text(_dump({"kind": kind, **fields}))


def _send_text(text: str) -> None:
    payload = text.encode()
    rest = memoryview(_LENGTH.pack(len(payload)) + payload)
    with _sending:
        while rest:
            rest = rest[os.write(_CHANNEL, rest) :]


def _receive() -> "dict[str, Any]":
    frame = bytearray()
    while len(frame) < _LENGTH.size or len(frame) < _LENGTH.size + _LENGTH.unpack_from(frame)[0]:
        part = os.read(_CHANNEL, _READ_BYTES)
        if not part:
            os._exit(0)  # the server is gone, or did not need this cell
        frame += part
    call: dict[str, Any] = json.loads(frame[_LENGTH.size :])
    return call


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a handler may have closed or replaced it
            stream.flush()


def _wait_for_the_end() -> "NoReturn":
    """Stays until killed, so that the server can read what this process used."""
    while os.read(_CHANNEL, 1):
        pass
    os._exit(0)


def _stop(*_: object) -> "NoReturn":
    raise SystemExit(_TERMINATED)


def _rehearse() -> None:
    """Does what every call does, so that a cell has its own copy of those pages of memory before it is ready.

    A page shared with the zygote is copied when it is first written to, and counting a reference writes.
    """
    call = json.loads(_REHEARSAL)
    told = offered.Cell(call, _send)
    text, _ = _answer({"told": told.deadline, "arguments": call["arguments"]}, call["output_limit_bytes"])
    memoryview(_LENGTH.pack(len(text)) + f'{{"kind":"result","value":{text}}}'.encode())[1:].release()
    _flush()
    time.monotonic()


_REHEARSAL = (
    '{"kind":"call","invocation_id":"inv_0","tool_call_id":"call_0","attempt":1,"deadline_seconds":1.5,'
    '"output_limit_bytes":4096,"arguments":{"text":"a longer text","number":1.5,"list":[null,true,{}]}}'
)
