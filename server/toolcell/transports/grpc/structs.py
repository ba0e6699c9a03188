"""google.protobuf.Struct to JSON text and back, exactly and within what every client can parse.

A protobuf parser refuses messages nested deeper than 100. In a Struct an object costs three of them and a
list two, and the messages around it a few more; what is deeper stays JSON text.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from toolcell.model.errors import RequestInvalid, Violation

_DEPTH: Final = 90
_OBJECT_COST, _LIST_COST = 3, 2
_EXACT: Final = 1 << 53
_PLAIN: Final = 1e21


class Unfit(Exception):  # noqa: N818 - not an error: the value goes another way
    """The value cannot be a Struct: it is no object, or nested too deeply."""


def to_json(struct: Struct, field: str) -> str:
    """Returns the JSON text of a Struct, keys in order; whole numbers without `.0`, as JavaScript does.

    Raises RequestInvalid for NaN, an infinity, and a value without a kind; `field` is the Struct's own path.
    """
    return json.dumps(_object(struct, field), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def from_json(text: str) -> Struct:
    """Returns JSON text as a Struct; raises Unfit."""
    return from_object(json.loads(text))


def from_object(value: Any) -> Struct:
    """Returns JSON data as a Struct; whole numbers beyond 2^53 become text, as in ProtoJSON. Raises Unfit."""
    struct = Struct()
    if not isinstance(value, Mapping):
        raise Unfit
    _fill_struct(struct, value, _DEPTH)
    return struct


def shown(value: Mapping[str, Any]) -> Struct:
    """Returns JSON data as a Struct for reading; else as `{"json": text}`, cut at 64 KiB."""
    try:
        return from_object(value)
    except Unfit:
        struct = Struct()
        struct.fields["json"].string_value = json.dumps(value, default=str)[: 64 << 10]
        return struct


def _object(struct: Struct, field: str) -> dict[str, Any]:
    return {key: _value(value, f"{field}.{key}") for key, value in struct.fields.items()}


def _value(value: Value, field: str) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return _number(value.number_value, field)
    if kind == "struct_value":
        return _object(value.struct_value, field)
    if kind == "list_value":
        return [_value(item, f"{field}[{index}]") for index, item in enumerate(value.list_value.values)]
    if kind is None:
        raise _invalid(field, "must have a kind; a google.protobuf.Value without one means nothing")
    return None if kind == "null_value" else getattr(value, kind)


def _number(number: float, field: str) -> float:
    if not math.isfinite(number):
        raise _invalid(field, "must be a finite number; JSON has neither NaN nor infinities")
    is_whole = number.is_integer() and abs(number) < _PLAIN
    return int(number) if is_whole and (number or math.copysign(1, number) > 0) else number


def _invalid(field: str, description: str) -> RequestInvalid:
    return RequestInvalid(
        f"The arguments are not JSON data: {field}: {description}.",
        violations=[Violation(field, description, "NOT_JSON")],
    )


def _fill_struct(struct: Struct, value: Mapping[str, Any], depth: int) -> None:
    if depth < _OBJECT_COST:
        raise Unfit
    struct.SetInParent()
    for key, item in value.items():
        _fill(struct.fields[_clean(str(key))], item, depth - _OBJECT_COST)


def _fill_list(items: ListValue, value: list[Any] | tuple[Any, ...], depth: int) -> None:
    if depth < _LIST_COST:
        raise Unfit
    items.SetInParent()
    for item in value:
        _fill(items.values.add(), item, depth - _LIST_COST)


def _fill(target: Value, value: Any, depth: int) -> None:
    if value is None:
        target.null_value = NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = _clean(value)
    elif isinstance(value, int) and abs(value) > _EXACT:
        target.string_value = str(value)
    elif isinstance(value, int | float):
        _fill_number(target, value)
    elif isinstance(value, Mapping):
        _fill_struct(target.struct_value, value, depth)
    elif isinstance(value, list | tuple):
        _fill_list(target.list_value, value, depth)
    else:
        raise Unfit


def _fill_number(target: Value, number: float) -> None:
    """Writes a number; NaN and infinities become text, as in ProtoJSON."""
    if math.isfinite(number):
        target.number_value = number
    else:
        target.string_value = str(number)


def _clean(text: str) -> str:
    """Replaces lone surrogates, which UTF-8 and so a protobuf string cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
