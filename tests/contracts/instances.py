"""Random JSON for messages: what their schema allows, in ProtoJSON's canonical spelling."""

import base64
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from hypothesis import strategies as st

I32 = st.integers(-(1 << 31), (1 << 31) - 1)
U32 = st.integers(0, (1 << 32) - 1)
I64 = st.integers(-(1 << 63), (1 << 63) - 1)
U64 = st.integers(0, (1 << 64) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
REAL = st.floats(allow_nan=False, allow_infinity=False)
BYTES = st.binary(max_size=8).map(lambda raw: base64.b64encode(raw).decode())
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | REAL | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
JSON_OBJECT = st.dictionaries(TEXT, ANY_JSON, max_size=3)
MOMENT = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
SPAN = st.tuples(st.integers(-(10**11), 10**11), st.sampled_from(["", ".5", ".001", ".123456789"])).map(
    lambda parts: f"{parts[0]}{parts[1]}s"
)
MASK = st.lists(st.from_regex(r"[a-z][a-z]*([A-Z][a-z]+)?(\.[a-z]+)?", fullmatch=True), max_size=3).map(
    ",".join
)
ANY: st.SearchStrategy[Any] = st.one_of(
    st.just({}),
    SPAN.map(lambda span: {"@type": "type.googleapis.com/google.protobuf.Duration", "value": span}),
    TEXT.map(lambda text: {"@type": "type.googleapis.com/constructs.v1.Tree", "label": text}),
)

SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: REAL,
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    **dict.fromkeys((5, 15, 17), I32),
    **dict.fromkeys((13, 7), U32),
    **dict.fromkeys((3, 16, 18), I64.map(str)),
    **dict.fromkeys((4, 6), U64.map(str)),
}
WELL_KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "Timestamp": MOMENT,
    "Duration": SPAN,
    "FieldMask": MASK,
    "Struct": JSON_OBJECT,
    "Value": ANY_JSON,
    "ListValue": st.lists(ANY_JSON, max_size=3),
    "Any": ANY,
    "StringValue": TEXT,
    "BytesValue": BYTES,
    "BoolValue": st.booleans(),
    "DoubleValue": REAL,
    "FloatValue": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "Int32Value": I32,
    "UInt32Value": U32,
    "Int64Value": I64.map(str),
    "UInt64Value": U64.map(str),
}


def messages(descriptor: Descriptor, depth: int = 3) -> st.SearchStrategy[Any]:
    """Returns a strategy for JSON of a message: any choice of fields, at most one of each oneof."""
    prefix, _, name = descriptor.full_name.rpartition(".")
    if prefix == "google.protobuf" and name in WELL_KNOWN:
        return WELL_KNOWN[name]
    fields = [field for field in descriptor.fields if depth > 0 or field.message_type is None]
    required = {f.name: values(f, depth) for f in fields if f.is_required}
    optional = {f.name: values(f, depth) for f in fields if not f.is_required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda made: _one_of_each(descriptor, made))


def values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """Returns a strategy for JSON of a field."""
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        return st.dictionaries(_keys(key), _single(value, depth), max_size=2)
    single = _single(field, depth)
    return st.lists(single, max_size=3) if field.is_repeated else single


def _single(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        message = field.message_type
        return st.deferred(lambda: messages(message, depth - 1))
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return SCALARS[field.type]


def _enum(enum: EnumDescriptor) -> st.SearchStrategy[Any]:
    if enum.full_name == "google.protobuf.NullValue":
        return st.none()
    firsts = {value.number: value for value in reversed(enum.values)}
    names = [v.name for v in firsts.values() if not v.GetOptions().deprecated]
    return st.sampled_from([name for name in names if not name.endswith("UNSPECIFIED")])


def _keys(field: FieldDescriptor) -> st.SearchStrategy[str]:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.sampled_from(["true", "false"])
    return SCALARS[field.type].map(str)


def _one_of_each(descriptor: Descriptor, made: dict[str, Any]) -> dict[str, Any]:
    for oneof in descriptor.oneofs:
        present = [field.name for field in oneof.fields if field.name in made]
        for name in present[1:]:
            del made[name]
    return made
