"""Frames: a 4-byte big-endian length, then so many bytes of UTF-8 JSON: an object with a `kind`."""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

DEPTH_LIMIT: Final = 100
"""How deep objects and arrays may nest in a frame: what protobuf's own JSON parser accepts."""

_LENGTH: Final = struct.Struct(">I")
_SURROGATE: Final = ("\\ud", "\\uD")


class ProtocolError(Exception):
    """The other side broke the rules of the wire; the message says how and never quotes what was sent."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing said: its kind, its other fields, and how many bytes it took."""

    kind: str
    fields: dict[str, Any]
    size: int


def encode(kind: str, fields: Mapping[str, Any], **spliced: str) -> bytes:
    """Makes a frame's bytes; `spliced` are further fields whose values are JSON text already.

    Raises ValueError for numbers JSON does not have, TypeError for values it does not have.
    """
    text = _ENCODER.encode({"kind": kind, **fields})
    if spliced:
        text = "".join((text[:-1], *(f',"{name}":{value}' for name, value in spliced.items()), "}"))
    payload = text.encode()
    return _LENGTH.pack(len(payload)) + payload


class Decoder:
    """Turns bytes, however they were split on their way, into frames of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    @property
    def has_part(self) -> bool:
        """Tells whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and yields every frame they complete.

        Raises ProtocolError at the first frame that is too long or is not finite, shallow, well-formed JSON;
        nothing can be decoded after that.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > self._limit:
                raise ProtocolError(f"a frame of {length} bytes is longer than {self._limit}")
            end = _LENGTH.size + length
            if len(buffer) < end:
                return
            payload = bytes(buffer[_LENGTH.size : end])
            yield parse(payload)
            del buffer[:end]


def parse(payload: bytes) -> Frame:
    """Reads one frame's payload; raises ProtocolError when it is not acceptable."""
    try:
        text = payload.decode()
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame is not acceptable JSON ({type(error).__name__})") from None
    if not isinstance(value, dict) or not isinstance(kind := value.pop("kind", None), str):
        raise ProtocolError("a frame is not an object with a kind")
    # Brackets bound the depth and backslashes the surrogates from above, so that most frames need no walk.
    if text.count("{") + text.count("[") > DEPTH_LIMIT or any(mark in text for mark in _SURROGATE):
        _walk(value)
    return Frame(kind, value, len(payload))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("infinite")
    return number


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _walk(value: Any) -> None:
    """Looks at every nested value; raises ProtocolError for one too deep or a string that is not Unicode."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise ProtocolError(f"a frame nests deeper than {DEPTH_LIMIT}")
        inner: list[Any] = []
        for item in level:
            for part in (*item, *item.values()) if isinstance(item, dict) else item:
                if isinstance(part, str):
                    _check_text(part)
                elif isinstance(part, dict | list):
                    inner.append(part)
        level = inner


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProtocolError("a string has half a surrogate pair") from None
