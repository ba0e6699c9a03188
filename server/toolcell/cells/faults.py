"""What the handler did wrong: how its cell ended becomes the caller's fault and the trace's events."""

import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from toolcell.cells.ending import Ending, How
from toolcell.cells.relay import Relay
from toolcell.model.errors import (
    Cancelled,
    Executed,
    HandlerCpuExceeded,
    HandlerCrashed,
    HandlerFault,
    HandlerOom,
    HandlerProtocolError,
    HandlerSandboxViolation,
    HandlerTimeout,
    OutputInvalid,
    OutputTooLarge,
    ToolDeclaredError,
    ToolTransient,
)
from toolcell.model.span import EventKind
from toolcell.model.tool import Tool

_ENVELOPE: Final = 128  # what a result frame has besides its value


def judge(tool: Tool, ending: Ending, relay: Relay) -> HandlerFault | None:
    """Returns the fault of an ended call, or None for a result; emits what explains it."""
    match ending.how:
        case How.ANSWERED:
            return _answered(tool, ending, relay)
        case How.LIED:
            relay.tell(EventKind.EXCEPTION, _told("ProtocolError", ending.detail))
            return HandlerProtocolError(tool=tool.name, detail=ending.detail)
        case How.EXPIRED:
            return HandlerTimeout(tool=tool.name, timeout=ending.detail)
        case How.ABANDONED:
            return Cancelled(tool=tool.name)
        case How.DIED:
            return _died(tool, ending, relay)


def _answered(tool: Tool, ending: Ending, relay: Relay) -> HandlerFault | None:
    frame = ending.frame
    if frame is None or frame.kind == "result":
        return _too_large(tool) if frame and frame.size > tool.output_limit_bytes + _ENVELOPE else None
    fields = frame.fields
    relay.tell(EventKind.EXCEPTION, {name: fields[name] for name in ("type", "message", "stack")})
    if fields["cause"] == "declared":
        return _declared(tool, fields)
    return _CAUSES.get(fields["cause"], _crashed)(tool)


def _declared(tool: Tool, fields: Mapping[str, Any]) -> HandlerFault:
    details = {**({"code": fields["code"]} if fields["code"] else {}), **fields["details"]}
    if fields["retryable"] and tool.idempotency.is_retry_safe:
        return ToolTransient(fields["message"], details=details, tool=tool.name)
    fault = ToolDeclaredError(fields["message"], details=details, tool=tool.name)
    if fields["retryable"]:
        # "Nothing happened" is believed only of a tool that may be run twice anyway.
        fault.executed = Executed.MAYBE  # type: ignore[misc]  # this one instance differs
    return fault


def _died(tool: Tool, ending: Ending, relay: Relay) -> HandlerFault:
    name = _signal_name(ending.signal)
    if ending.signal == signal.SIGSYS:
        relay.tell(EventKind.VIOLATION, {"signal": name})
        return HandlerSandboxViolation(tool=tool.name, signal=name)
    has_no_cpu_left = ending.usage.cpu_microseconds >= tool.policy.limits.cpu_seconds * 1_000_000
    if ending.signal == signal.SIGXCPU or (ending.signal == signal.SIGKILL and has_no_cpu_left):
        return HandlerCpuExceeded(tool=tool.name, limit=f"{tool.policy.limits.cpu_seconds:g}")
    known = {"exit": ending.exit} if ending.exit >= 0 else {"signal": name} if ending.signal else {}
    words = " ".join(f"{key} {value}" for key, value in known.items()) or "unknown how"
    relay.tell(EventKind.EXCEPTION, _told("Died", f"the process ended without an answer: {words}"))
    return HandlerCrashed(tool=tool.name, **known)


def _told(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "message": message, "stack": ""}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _too_large(tool: Tool) -> HandlerFault:
    return OutputTooLarge(tool=tool.name, limit=tool.output_limit_bytes)


def _crashed(tool: Tool) -> HandlerFault:
    return HandlerCrashed(tool=tool.name)


def _out_of_memory(tool: Tool) -> HandlerFault:
    return HandlerOom(tool=tool.name, limit=tool.policy.limits.memory_bytes)


def _output_invalid(tool: Tool) -> HandlerFault:
    return OutputInvalid(tool=tool.name, field="")


_CAUSES: Final[Mapping[str, Callable[[Tool], HandlerFault]]] = {
    "raised": _crashed,
    "out_of_memory": _out_of_memory,
    "output_invalid": _output_invalid,
    "output_too_large": _too_large,
}
