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
_NAME_LIMIT = 200
_EVENT_LIMIT = 1000
_DEPTH_LIMIT = 90  # of the 100 levels a frame may have


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
        text = _whole(json.dumps(dict(details or {}), ensure_ascii=False, allow_nan=False))
        if len(text) > _DETAILS_LIMIT:
            raise ValueError(f"details must be at most {_DETAILS_LIMIT} bytes as JSON")
        self.details = json.loads(text)
        if _depth(self.details) > _DEPTH_LIMIT:
            raise ValueError(f"details must not nest deeper than {_DEPTH_LIMIT} levels")
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
        """Adds a line to the trace; the first 1,000 are kept, 8 KiB of a message and 8 KiB of its fields.

        Like `print` it takes anything: in `fields` what is not JSON data becomes text, what is longer is cut.
        """
        told = _fields(fields)
        self._tell("log", level=clean(level, 32), message=clean(message, _LINE_LIMIT), fields=told)

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
    try:
        text = str(text)
    except Exception:  # noqa: BLE001 - an author's own __str__ may raise
        text = f"<{type(text).__name__}>"
    return _whole(text[:limit]).decode()


def _whole(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _fields(given: "Mapping[str, Any]") -> "dict[str, Any]":
    """Returns JSON data of at most 8 KiB; the fields that find no room any more are left out."""
    kept: dict[str, Any] = {}
    left = _LINE_LIMIT
    for long_name, value in given.items():
        name, data = clean(long_name, _NAME_LIMIT), _data(value)
        while (size := len(_json({name: data}).encode())) > left and data != "":
            text = data if isinstance(data, str) else _json(data)
            data = text[: len(text) * left // size]
        if size <= left:
            kept[name] = data
            left -= size
    return kept


def _data(value: "Any") -> "Any":
    """Returns a value as JSON data, and as text what is none, nests too deep or is too long."""
    if isinstance(value, str):
        return clean(value, _LINE_LIMIT)
    try:
        data = json.loads(clean(_json(value), _LINE_LIMIT))
    except Exception:  # noqa: BLE001 - no JSON, or too long and now cut
        return clean(value, _LINE_LIMIT)
    return data if _depth(data) <= _DEPTH_LIMIT else clean(value, _LINE_LIMIT)


def _json(value: "Any") -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)


def _depth(value: "Any") -> int:
    """Counts the levels of JSON data, without recursion."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
    return depth
