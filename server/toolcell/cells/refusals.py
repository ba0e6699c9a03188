"""Why nothing was run, in words: for whoever called, and for whoever reloads."""

from typing import Final

from toolcell.cells.demise import Why, ZygoteEndedError
from toolcell.model.errors import ServerOverloaded, ToolUnavailable
from toolcell.model.tool import Cause, Tool, Unavailable

_RETRY_SECONDS: Final = 1.0


def unavailable(tool: Tool, error: ZygoteEndedError) -> ToolUnavailable:
    """Makes the refusal of a tool whose zygote ended; the stack is a note."""
    if error.why is Why.IMPORT:
        at = f"{tool.place}/{error.where}: " if error.where else ""
        said = f"The handler of {tool.name} does not import: {at}{error.reason}. Correct it and reload."
    else:
        said = f"The zygote of {tool.name} ended: {error.reason}. It is tried again shortly."
    refusal = ToolUnavailable(said, tool=tool.name, cause=Cause.HANDLER_IMPORT_FAILED)
    if error.stack:
        refusal.add_note(error.stack)
    return refusal


def told(tool: Tool, refusal: ToolUnavailable) -> Unavailable:
    """Turns a tool's refusal into cause, place and remedy."""
    error, cause = refusal.__cause__, Cause(refusal.metadata["cause"])
    if not isinstance(error, ZygoteEndedError):
        return Unavailable(cause, refusal.message, f"{tool.place}/")
    remedy = "Correct the handler" if error.why is Why.IMPORT else "Look at `toolcell doctor`"
    return Unavailable(cause, error.reason, f"{tool.place}/{error.where}", f"{remedy}, then reload.")


def still_starting(tool: Tool, last: ZygoteEndedError | None) -> ToolUnavailable | ServerOverloaded:
    """Makes the refusal of a call whose time was up before a cell was ready.

    That is nobody's fault and says nothing of the tool, unless its `last` start failed and this is only the
    next try: then the tool is what the caller should hear of.
    """
    if last:
        return unavailable(tool, last)
    said = f"{tool.name} was still starting when the call's time was up; nothing was run. Call it again."
    return ServerOverloaded(said, retry_after=_RETRY_SECONDS)


def no_process(tool: Tool, error: OSError) -> ServerOverloaded:
    """Makes the refusal of a call that the machine has no process or descriptor for."""
    said = f"No process could be started for {tool.name}: {error.strerror}."
    return ServerOverloaded(said, retry_after=_RETRY_SECONDS)
