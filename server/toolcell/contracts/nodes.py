"""The JSON Schema nodes of scalar and well-known types, as tables."""

import copy
from base64 import b64encode
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor as F

from toolcell.contracts.codec.wellknown import ANY, PREFIX, VALUE, WRAPPERS

Node = dict[str, Any]

KEYWORDS: Final = (
    "contentEncoding",
    "default",
    "deprecated",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "propertyNames",
    "uniqueItems",
)
STRUCTURE: Final = frozenset({"type", "description", "properties", "additionalProperties", "items", "anyOf"})
"""What every dialect takes."""

ODDITIES: Final = ("NaN", "Infinity", "-Infinity")

_BASE64: Final = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_I32: Final = {"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1}
_U32: Final = {"type": "integer", "minimum": 0, "maximum": (1 << 32) - 1}
_LARGE: Final = "64-bit integer, as a string of decimal digits."
_I64: Final = {"type": "string", "description": _LARGE, "pattern": r"^(0|-?[1-9][0-9]{0,18})$"}
_U64: Final = {"type": "string", "description": _LARGE, "pattern": r"^(0|[1-9][0-9]{0,19})$"}
_BYTES: Final = {
    "type": "string",
    "description": "Bytes, in base64.",
    "contentEncoding": "base64",
    "pattern": _BASE64,
}

_SCALARS: Final[dict[int, Node]] = {
    F.TYPE_STRING: {"type": "string"},
    F.TYPE_BYTES: _BYTES,
    F.TYPE_BOOL: {"type": "boolean"},
    F.TYPE_DOUBLE: {"type": "number"},
    F.TYPE_FLOAT: {"type": "number"},
    **dict.fromkeys((F.TYPE_INT32, F.TYPE_SINT32, F.TYPE_SFIXED32), _I32),
    **dict.fromkeys((F.TYPE_UINT32, F.TYPE_FIXED32), _U32),
    **dict.fromkeys((F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_SFIXED64), _I64),
    **dict.fromkeys((F.TYPE_UINT64, F.TYPE_FIXED64), _U64),
}
SMALL_INTEGERS: Final = frozenset(kind for kind, node in _SCALARS.items() if node["type"] == "integer")

_WELL_KNOWN: Final[dict[str, Node]] = {
    f"{PREFIX}Timestamp": {
        "type": "string",
        "description": "A moment (RFC 3339), for example 2026-01-31T12:00:00Z.",
        "format": "date-time",
    },
    f"{PREFIX}Duration": {
        "type": "string",
        "description": "A length of time in seconds, for example 1.5s.",
        "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$",
    },
    f"{PREFIX}FieldMask": {
        "type": "string",
        "description": "Field paths in lowerCamelCase, with commas between them.",
    },
    f"{PREFIX}Struct": {"type": "object", "additionalProperties": True},
    f"{PREFIX}ListValue": {"type": "array", "items": {}},
    VALUE: {"description": "Any JSON value."},
    ANY: {
        "type": "object",
        "description": 'Any message: its fields, and its type\'s name in "@type".',
        "properties": {"@type": {"type": "string"}},
        "additionalProperties": True,
    },
}


def scalar(kind: int) -> Node:
    """Returns a new node for a scalar type."""
    return dict(_SCALARS[kind])


def well_known(full_name: str) -> Node | None:
    """Returns a new node for a type whose JSON has a form of its own, or None for ordinary messages."""
    if full_name in WRAPPERS:
        return scalar(WRAPPERS[full_name])
    return copy.deepcopy(_WELL_KNOWN.get(full_name))


def map_key(kind: int) -> Node:
    """Returns a new node for a map's keys, which are strings in JSON whatever they are in the message."""
    if kind == F.TYPE_BOOL:
        return {"type": "string", "enum": ["true", "false"]}
    if kind in SMALL_INTEGERS:
        is_signed = _SCALARS[kind] is _I32
        return {
            "type": "string",
            "pattern": r"^(0|-?[1-9][0-9]{0,9})$" if is_signed else r"^(0|[1-9][0-9]{0,9})$",
        }
    node = scalar(kind)
    node.pop("description", None)
    return node


def shown_default(field: F) -> str:
    """Prints a default that JSON Schema's `default` cannot hold."""
    value = field.default_value
    if isinstance(value, bool):
        return str(value).lower()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def describe(node: Node, text: str) -> None:
    """Adds a sentence behind what the node says already."""
    if text:
        node["description"] = f"{node['description']} {text}" if "description" in node else text


def nullable(node: Node) -> Node:
    """Lets a node be null too, without a keyword beside a $ref or an enum that would forbid it."""
    kind = node.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return node
    if kind is not None and not {"enum", "properties"} & node.keys():
        return {**node, "type": [kind, "null"]}
    inner = dict(node)
    outer = {"description": inner.pop("description")} if "description" in inner else {}
    branches = inner.pop("anyOf", None) or [inner]
    return {**outer, "anyOf": [*branches, {"type": "null"}]}


def first_sentence(text: str) -> str:
    """Returns a text's first sentence on one line."""
    line = " ".join(text.split())
    end = line.find(". ")
    return line if end < 0 else line[: end + 1]
