"""JSON text, parsed without mercy and printed the same way every time."""

import json
from typing import Any, Final

from toolcell.contracts.codec.walk import Reject


class Doubled(dict[str, Any]):
    """An object in which names stand twice; the last value is kept, and so are the names."""

    __slots__ = ("names",)
    names: tuple[str, ...]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled, seen = Doubled(made), set[str]()
    doubled.names = tuple(dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]  # add returns None
    return doubled


def _constant(name: str) -> Any:
    raise Reject(
        "NOT_JSON", f'is not JSON: {name} stands outside of quotation marks; write "{name}" as a string'
    )


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def parse(text: str) -> Any:
    """Parses one JSON value; empty text stands for an empty object. Raises Reject with a sentence.

    What a nesting bomb costs is bounded by the interpreter's recursion limit, some ten times the depth we
    accept.
    """
    if not text or text.isspace():
        return {}
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as wrong:
        place = f"line {wrong.lineno}, column {wrong.colno}"
        what = wrong.msg.removesuffix(" at")
        raise Reject("NOT_JSON", f"is not JSON: {what} at {place}; send exactly one JSON object") from None
    except RecursionError:
        raise Reject("TOO_DEEP", "is nested more than 100 levels deep") from None
    except ValueError:  # Python's bound on the digits of an integer
        raise Reject("OUT_OF_RANGE", "holds a number with too many digits") from None


def printed(value: Any) -> str:
    """Prints a JSON value without white space, names in the order they have."""
    return _ENCODER.encode(value)
