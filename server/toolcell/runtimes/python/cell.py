"""What a handler sees of its cell, where this module is `toolcell` (`from toolcell import ToolError`)."""

import json
import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_MESSAGE_LIMIT = 2000
_DETAILS_LIMIT = 16 * 1024
_LINE_LIMIT = 8 * 1024
_EVENT_LIMIT = 1000


class ToolError(Exception):
    """Fails a call on purpose, with a message that the model reads.

    `message` is at most 2,000 characters; `code` is the author's own UPPER_SNAKE word for the error;
    `retryable` says that nothing happened and the same call may succeed later; `details` is JSON data of at
    most 16 KiB. Raises ValueError or TypeError when one of them is not so.
    """

    __module__ = "toolcell"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        retryable: bool = False,
        details: "Mapping[str, Any] | None" = None,
    ) -> None:
        if code and not _CODE.fullmatch(code):
            raise ValueError(f"code must be UPPER_SNAKE_CASE of at most 63 characters, not {code!r}")
        self.details = dict(details or {})
        if len(json.dumps(self.details, allow_nan=False)) > _DETAILS_LIMIT:
            raise ValueError(f"details must be at most {_DETAILS_LIMIT} bytes as JSON")
        self.message = str(message)[:_MESSAGE_LIMIT]
        self.code = code
        self.retryable = bool(retryable)
        super().__init__(self.message)


class Cell:
    """The one call this process is for, and the way to tell its trace something."""

    __module__ = "toolcell"
    __slots__ = ("_end", "_left", "_send", "attempt", "dropped", "invocation_id", "tool_call_id")

    ToolError = ToolError

    def __init__(self, call: "Mapping[str, Any]", send: "Callable[..., None]") -> None:
        self.invocation_id: str = call["invocation_id"]
        self.tool_call_id: str = call["tool_call_id"]
        self.attempt: int = call["attempt"]
        self.dropped = 0
        self._end: float = time.monotonic() + call["deadline_seconds"]
        self._send = send
        self._left = _EVENT_LIMIT

    @property
    def deadline(self) -> float:
        """Seconds left until this process is killed; never below 0."""
        return max(0.0, self._end - time.monotonic())

    def log(self, message: str, level: str = "info", **fields: "Any") -> None:
        """Adds a line to the trace; `fields` are JSON data. The first 1,000 lines are kept, 8 KiB of each."""
        if len(json.dumps(fields, allow_nan=False)) > _LINE_LIMIT:
            raise ValueError(f"the fields of a log line must be at most {_LINE_LIMIT} bytes as JSON")
        self._tell("log", level=clean(level, 32), message=clean(message, _LINE_LIMIT), fields=fields)

    def progress(self, fraction: float, message: str = "") -> None:
        """Tells how far the call is, from 0 to 1; raises ValueError for a fraction outside of that."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction must be from 0 to 1, not {fraction!r}")
        self._tell("progress", fraction=float(fraction), message=clean(message, _LINE_LIMIT))

    def _tell(self, kind: str, **fields: "Any") -> None:
        if self._left == 0:
            self.dropped += 1
            return
        self._left -= 1
        self._send(kind, fields)


def clean(text: object, limit: int) -> str:
    """Returns text that is Unicode and at most `limit` characters, whatever it was."""
    return str(text)[:limit].encode("utf-8", "replace").decode()
