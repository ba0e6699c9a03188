"""Well-known types with a JSON form of their own (protobuf.dev, ProtoJSON)."""

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from toolcell.contracts.codec.scalars import SCALARS, Read, read_string
from toolcell.contracts.codec.text import Doubled
from toolcell.contracts.codec.walk import Pair, Reject, Walk, quoted

PREFIX: Final = "google.protobuf."
NULL_VALUE: Final = f"{PREFIX}NullValue"
VALUE: Final = f"{PREFIX}Value"
ANY: Final = f"{PREFIX}Any"

_TIMESTAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_DURATION_MAX: Final = 315_576_000_000
_MASK: Final = re.compile(
    r"[a-z][A-Za-z0-9]*(?:_[a-z][a-z0-9]*)*(?:\.[a-z][A-Za-z0-9]*(?:_[a-z][a-z0-9]*)*)*"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANO_DIGITS: Final = 9


def _read_timestamp(value: Any, _walk: Walk) -> Pair:
    if type(value) is not str:
        raise Reject("WRONG_TYPE", "must be a string such as 2026-01-31T12:00:00Z")
    match = _TIMESTAMP.fullmatch(value)
    zone = "+00:00" if match and match[4] in "Zz" else match and match[4]
    try:
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Reject(
            "OUT_OF_RANGE", "must be a moment such as 2026-01-31T12:00:00Z, years 1 to 9999"
        ) from None
    nanos = _nanos(match[3])
    since = moment - _EPOCH
    plain = f"{moment.replace(tzinfo=None).isoformat()}{_fraction(nanos)}Z"
    return plain, {"seconds": since.days * 86_400 + since.seconds, "nanos": nanos}


def _read_duration(value: Any, _walk: Walk) -> Pair:
    if type(value) is not str:
        raise Reject("WRONG_TYPE", "must be a string of seconds such as 1.5s")
    match = _DURATION.fullmatch(value)
    nanos = _nanos(match[3]) if match else 0
    seconds = int(match[2]) if match else _DURATION_MAX + 1
    if seconds > _DURATION_MAX or (seconds == _DURATION_MAX and nanos):
        raise Reject("OUT_OF_RANGE", f"must be seconds such as 1.5s, at most {_DURATION_MAX}s")
    sign = -1 if match and match[1] and (seconds or nanos) else 1
    plain = f"{'-' if sign < 0 else ''}{seconds}{_fraction(nanos)}s"
    return plain, {"seconds": sign * seconds, "nanos": sign * nanos}


def _nanos(digits: str | None) -> int:
    return int(digits[:_NANO_DIGITS].ljust(_NANO_DIGITS, "0")) if digits else 0


def _fraction(nanos: int) -> str:
    """Prints 0, 3, 6 or 9 digits, as every ProtoJSON printer does."""
    if not nanos:
        return ""
    digits = f"{nanos:09d}"
    return f".{digits[:3]}" if digits.endswith("000000") else f".{digits.removesuffix('000')}"


def _read_mask(value: Any, _walk: Walk) -> Pair:
    if type(value) is not str:
        raise Reject("WRONG_TYPE", "must be a string of field paths with commas between them")
    paths = value.split(",") if value else []
    if not all(_MASK.fullmatch(path) for path in paths):
        raise Reject("OUT_OF_RANGE", "must be field paths in lowerCamelCase with commas between them")
    snake = [re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", path) for path in paths]
    plain = ",".join(re.sub("_([a-z])", lambda lower: lower[1].upper(), path) for path in snake)
    return plain, {"paths": snake}


# ── any JSON ────────────────────────────────────────────────────────────────────────────────────────────────


def _read_struct(value: Any, walk: Walk) -> Pair:
    if not isinstance(value, dict):
        raise Reject("WRONG_TYPE", "must be an object")
    made = _json(value, walk)
    return made, made


def _read_list(value: Any, walk: Walk) -> Pair:
    if type(value) is not list:
        raise Reject("WRONG_TYPE", "must be an array")
    made = _json(value, walk)
    return made, made


def _read_value(value: Any, walk: Walk) -> Pair:
    made = _json(value, walk)
    kinds = {dict: "struct_value", list: "list_value", str: "string_value", bool: "bool_value"}
    if made is None:
        return None, {"null_value": 0}
    return made, {kinds.get(type(made), "number_value"): made}


def _json(value: Any, walk: Walk) -> Any:
    """Reads any JSON value: every number must fit a double, every text must be Unicode."""
    if value is None or type(value) is bool:
        return value
    if type(value) is str:
        return read_string(value, walk)[0]
    if type(value) is int or type(value) is float:
        _check_double(value)
        return value
    if not isinstance(value, dict | list):
        raise Reject("WRONG_TYPE", "must be a JSON value")
    walk.enter()
    walk.hold(len(value))
    try:
        return _json_object(value, walk) if isinstance(value, dict) else [_json(item, walk) for item in value]
    finally:
        walk.depth -= 1


def _json_object(value: dict[Any, Any], walk: Walk) -> dict[str, Any]:
    if type(value) is Doubled:
        raise Reject("DUPLICATE_KEY", f"names {quoted(value.names[0])} more than once")
    return {read_string(name, walk)[0]: _json(item, walk) for name, item in value.items()}


def _check_double(value: float) -> None:
    try:
        if math.isfinite(value):
            return
    except OverflowError:
        pass
    raise Reject("OUT_OF_RANGE", "holds a number that a double cannot hold")


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────


def _wrapper(field_type: int) -> Read:
    read_scalar = SCALARS[field_type].read

    def read(value: Any, walk: Walk) -> Pair:
        plain, wire = read_scalar(value, walk)
        return plain, {"value": wire}

    return read


WRAPPERS: Final = {
    f"{PREFIX}DoubleValue": FieldDescriptor.TYPE_DOUBLE,
    f"{PREFIX}FloatValue": FieldDescriptor.TYPE_FLOAT,
    f"{PREFIX}Int64Value": FieldDescriptor.TYPE_INT64,
    f"{PREFIX}UInt64Value": FieldDescriptor.TYPE_UINT64,
    f"{PREFIX}Int32Value": FieldDescriptor.TYPE_INT32,
    f"{PREFIX}UInt32Value": FieldDescriptor.TYPE_UINT32,
    f"{PREFIX}BoolValue": FieldDescriptor.TYPE_BOOL,
    f"{PREFIX}StringValue": FieldDescriptor.TYPE_STRING,
    f"{PREFIX}BytesValue": FieldDescriptor.TYPE_BYTES,
}

READERS: Final[dict[str, Read]] = {
    f"{PREFIX}Timestamp": _read_timestamp,
    f"{PREFIX}Duration": _read_duration,
    f"{PREFIX}FieldMask": _read_mask,
    f"{PREFIX}Struct": _read_struct,
    f"{PREFIX}ListValue": _read_list,
    VALUE: _read_value,
    **{name: _wrapper(field_type) for name, field_type in WRAPPERS.items()},
}
