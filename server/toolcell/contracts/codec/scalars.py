"""Scalar values: what ProtoJSON allows, range and form checked; a table from a field's type to its reader."""

import binascii
import math
import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from toolcell.contracts.codec.walk import Pair, Reject, Walk

Read = Callable[[Any, Walk], Pair]
Bulk = Callable[[list[Any]], bool]

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER: Final = 400  # characters; a double has at most 309 digits before its point
_FLOAT_MAX: Final = 3.4028234663852886e38
_ODDITIES: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SHORTEST: Final = range(6, 10)  # digits that tell one float32 from another


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar type: how one value is read, whether a whole list is plainly right, and its zero in JSON."""

    read: Read
    zero: Any
    is_plain: Bulk


def read_string(value: Any, _walk: Walk) -> Pair:
    """Reads a string; a lone surrogate is no Unicode text and cannot leave as UTF-8."""
    if type(value) is not str:
        raise Reject("WRONG_TYPE", "must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Reject("LONE_SURROGATE", "holds half of a surrogate pair, which is no character") from None
    return value, value


def _read_bool(value: Any, _walk: Walk) -> Pair:
    if type(value) is not bool:
        raise Reject("WRONG_TYPE", "must be true or false, without quotation marks")
    return value, value


def _read_bytes(value: Any, _walk: Walk) -> Pair:
    if type(value) is not str:
        raise Reject("WRONG_TYPE", "must be a string of base64")
    text = value.rstrip("=") if value.endswith("=") else value
    padding = len(value) - len(text)
    if value.isascii() and len(text) % 4 != 1 and padding in {0, -len(text) % 4}:
        standard = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        try:
            raw = b64decode(standard, validate=True)
        except binascii.Error:
            pass
        else:
            return b64encode(raw).decode(), raw
    raise Reject("OUT_OF_RANGE", "must be base64, such as aGVsbG8=")


def _number(value: Any, wanted: str) -> float:
    """Reads a JSON number or a string that holds one; whole numbers stay exact."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is not str or len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        raise Reject("WRONG_TYPE", f"must be {wanted}")
    return float(value) if any(char in value for char in ".eE") else int(value)


def _integer(low: int, high: int, *, is_text: bool) -> Read:
    wanted = f"an integer between {low} and {high}"

    def read(value: Any, _walk: Walk) -> Pair:
        number = value if type(value) is int else _number(value, wanted)
        if type(number) is float:
            if not number.is_integer():
                raise Reject("WRONG_TYPE", f"must be {wanted}")
            number = int(number)
        if not low <= number <= high:
            raise Reject("OUT_OF_RANGE", f"must be {wanted}")
        return (str(number) if is_text else number), number

    return read


def _read_double(value: Any, _walk: Walk) -> Pair:
    if type(value) is float and math.isfinite(value):
        return value, value
    if type(value) is str and value in _ODDITIES:
        return value, _ODDITIES[value]
    try:
        number = float(_number(value, "a number"))
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Reject("OUT_OF_RANGE", "must be a number that a double can hold")
    return number, number


def _read_float(value: Any, walk: Walk) -> Pair:
    plain, wire = _read_double(value, walk)
    if type(plain) is str:
        return plain, wire
    try:
        struct.pack("<f", wire)
    except OverflowError:
        raise Reject("OUT_OF_RANGE", "must be a number that a 32-bit float can hold") from None
    return shortest(wire), wire


def shortest(number: float) -> float:
    """Returns the shortest decimal that is the same 32-bit float and that no reader finds too large."""
    (rounded,) = struct.unpack("<f", struct.pack("<f", number))
    for digits in _SHORTEST:
        short = float(f"{rounded:.{digits}g}")
        if abs(short) <= _FLOAT_MAX and struct.unpack("<f", struct.pack("<f", short))[0] == rounded:
            return short
    return float(rounded)


def _never(_values: list[Any]) -> bool:
    return False


def _all_strings(values: list[Any]) -> bool:
    return set(map(type, values)) <= {str} and all(map(str.isascii, values))


def _all_bools(values: list[Any]) -> bool:
    return set(map(type, values)) <= {bool}


def _all_doubles(values: list[Any]) -> bool:
    return set(map(type, values)) <= {float} and all(map(math.isfinite, values))


def _all_integers(low: int, high: int) -> Bulk:
    def check(values: list[Any]) -> bool:
        return not values or (set(map(type, values)) == {int} and min(values) >= low and max(values) <= high)

    return check


_I32, _U32 = (-(1 << 31), (1 << 31) - 1), (0, (1 << 32) - 1)
_I64, _U64 = (-(1 << 63), (1 << 63) - 1), (0, (1 << 64) - 1)


def _small(low: int, high: int) -> Scalar:
    return Scalar(_integer(low, high, is_text=False), 0, _all_integers(low, high))


def _large(low: int, high: int) -> Scalar:
    return Scalar(_integer(low, high, is_text=True), "0", _never)


SCALARS: Final = {
    FieldDescriptor.TYPE_STRING: Scalar(read_string, "", _all_strings),
    FieldDescriptor.TYPE_BYTES: Scalar(_read_bytes, "", _never),
    FieldDescriptor.TYPE_BOOL: Scalar(_read_bool, zero=False, is_plain=_all_bools),
    FieldDescriptor.TYPE_DOUBLE: Scalar(_read_double, 0.0, _all_doubles),
    FieldDescriptor.TYPE_FLOAT: Scalar(_read_float, 0.0, _never),
    FieldDescriptor.TYPE_INT32: _small(*_I32),
    FieldDescriptor.TYPE_SINT32: _small(*_I32),
    FieldDescriptor.TYPE_SFIXED32: _small(*_I32),
    FieldDescriptor.TYPE_UINT32: _small(*_U32),
    FieldDescriptor.TYPE_FIXED32: _small(*_U32),
    FieldDescriptor.TYPE_INT64: _large(*_I64),
    FieldDescriptor.TYPE_SINT64: _large(*_I64),
    FieldDescriptor.TYPE_SFIXED64: _large(*_I64),
    FieldDescriptor.TYPE_UINT64: _large(*_U64),
    FieldDescriptor.TYPE_FIXED64: _large(*_U64),
}


def key_reader(key: FieldDescriptor) -> Callable[[str, Walk], tuple[str, Any]]:
    """Returns the reader of a map's keys: text in JSON, a bool, integer or string in the message."""
    if key.type == FieldDescriptor.TYPE_STRING:
        return read_string
    if key.type == FieldDescriptor.TYPE_BOOL:
        return _read_bool_key
    read = SCALARS[key.type].read

    def read_key(text: str, walk: Walk) -> tuple[str, Any]:
        _, number = read(text, walk)
        return str(number), number

    return read_key


def _read_bool_key(text: str, _walk: Walk) -> tuple[str, bool]:
    if text not in {"true", "false"}:
        raise Reject("WRONG_TYPE", 'must have only the keys "true" and "false"')
    return text, text == "true"
