"""A Struct and JSON text say the same, and no value can make an answer that a client cannot parse."""

import json
import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from toolcell.model.errors import RequestInvalid
from toolcell.transports.grpc import structs
from toolcell.v1.tool_service_pb2 import InvokeResponse
from toolcell.v1.trace_pb2 import TraceEvent

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_an_object_survives_the_way_there_and_back(value: dict[str, Any]) -> None:
    assert json.loads(structs.to_json(structs.from_object(value), "arguments")) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (-3.0, "-3"),
        (0.0, "0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (2.0**53, "9007199254740992"),
        (1e300, "1e+300"),
    ],
)
def test_a_whole_number_is_written_whole(number: float, text: str) -> None:
    struct = Struct()
    struct.fields["n"].number_value = number
    assert structs.to_json(struct, "arguments") == f'{{"n":{text}}}'


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_json_is_refused_by_its_path(number: float) -> None:
    struct = Struct()
    struct.fields["a"].list_value.values.add().struct_value.fields["b"].number_value = number
    with pytest.raises(RequestInvalid) as refused:
        structs.to_json(struct, "arguments")
    assert refused.value.violations[0].field == "arguments.a[0].b"


def test_a_value_without_a_kind_is_refused() -> None:
    with pytest.raises(RequestInvalid):
        structs.to_json(Struct(fields={"a": Value()}), "arguments")


def nested(depth: int, kind: type) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return {"x": value}


@pytest.mark.parametrize("kind", [list, dict])
def test_what_fits_a_struct_can_be_parsed_by_who_gets_it(kind: type) -> None:
    fitting = 0
    for depth in range(60):
        try:
            struct = structs.from_object(nested(depth, kind))
        except structs.Unfit:
            break
        fitting = depth
        for message in (InvokeResponse(output=struct), TraceEvent(body=struct)):
            assert type(message).FromString(message.SerializeToString()) == message
    assert 20 < fitting < 59


def test_only_an_object_is_a_struct() -> None:
    for text in ("[]", "1", '"a"', "null"):
        with pytest.raises(structs.Unfit):
            structs.from_json(text)


def test_what_protojson_writes_as_text_is_text() -> None:
    struct = structs.from_object({"big": 2**60, "huge": 10**400, "nan": math.nan, "least": -(2**53)})
    assert dict(struct.items()) == {
        "big": str(2**60),
        "huge": str(10**400),
        "nan": "nan",
        "least": -(2.0**53),
    }


def test_a_lone_surrogate_is_replaced() -> None:
    assert dict(structs.from_json('{"\\ud800": "\\udfff"}').items()) == {"?": "?"}


def test_what_no_struct_can_hold_is_shown_as_text() -> None:
    deep = nested(80, dict)
    assert json.loads(structs.shown(deep).fields["json"].string_value) == deep
    assert structs.shown({"a": [1, None]}) == structs.from_object({"a": [1, None]})
    assert (
        len(structs.shown({"a": nested(80, dict), "b": "x" * 100_000}).fields["json"].string_value)
        == 64 << 10
    )
