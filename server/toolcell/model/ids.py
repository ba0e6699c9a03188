"""Identifiers: prefixed, unguessable, and sorted by the time they were made."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TIME_BITS, _RANDOM_BITS = 56, 74


def new_id(prefix: str) -> str:
    """Makes an id such as `inv_0c5t…`.

    26 base-32 digits, 56 bits of wall-clock microseconds then 74 random bits.

    Ids of one prefix sort by creation time as text, so they serve as page cursors.
    """
    stamp = (time.time_ns() // 1000) & ((1 << _TIME_BITS) - 1)
    number = (stamp << _RANDOM_BITS) | (int.from_bytes(_random(10)) >> (80 - _RANDOM_BITS))
    return f"{prefix}_{''.join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])}"


def new_trace_id() -> str:
    """Makes a W3C trace id: 32 lower-case hex digits."""
    return _random(16).hex()


def new_span_id() -> str:
    """Makes a W3C span id: 16 lower-case hex digits."""
    return _random(8).hex()


class _Pool:
    """Random bytes of the kernel, fetched some hundred at a time.

    Asking it gives the interpreter's lock away: beside a busy thread that costs more than all the rest of an
    id.
    """

    def __init__(self) -> None:
        self._bytes = b""

    def __call__(self, count: int) -> bytes:
        while True:
            bytes_ = self._bytes
            taken, self._bytes = bytes_[:count], bytes_[count:]
            if len(taken) == count:
                return taken
            self._bytes = os.urandom(512)


_random = _Pool()
