"""What a field may hold."""

import pytest

from toolcell.model.errors import InputTooLarge, RequestInvalid
from toolcell.transports.grpc import requests
from toolcell.v1.tool_service_pb2 import InvokeRequest


def found(rule: requests.Violations) -> list[str]:
    return [violation.rule for violation in rule]


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(RequestInvalid, match=r"toolcell\.v1\.InvokeRequest"):
        requests.decode(InvokeRequest, b"\xff\xff")
    with pytest.raises(RequestInvalid):
        requests.decode(InvokeRequest, b"\x0a\x02\xff\xfe")  # a tool's name that is not UTF-8


def test_a_request_may_be_as_large_as_the_limit() -> None:
    requests.bound_size(b"1234", 4)
    with pytest.raises(InputTooLarge) as refused:
        requests.bound_size(b"12345", 4)
    assert refused.value.metadata == {"size": "5", "limit": "4"}


def test_every_violation_is_told_at_once() -> None:
    with pytest.raises(RequestInvalid, match=r"a: must not be empty; b: must not be empty") as refused:
        requests.require(requests.present("a", ""), requests.present("c", "x"), requests.present("b", ""))
    assert [v.field for v in refused.value.violations] == ["a", "b"]
    requests.require(requests.present("c", "x"))


def test_text_is_bounded_and_holds_no_control_characters() -> None:
    assert found(requests.text("f", "é" * 255)) == []
    assert found(requests.text("f", "x" * 256)) == ["string.max_len"]
    for letter in "\x00\n\x1b\x7f":
        assert found(requests.text("f", f"call{letter}")) == ["string.control"]


def test_labels_are_bounded() -> None:
    assert found(requests.labels("l", {"env": "é" * 255, "a.b-c_9": ""})) == []
    assert found(requests.labels("l", {f"k{n}": "" for n in range(17)})) == ["map.max_pairs"]
    for key in ("", "Env", "9", "k" * 64, "a b"):
        assert found(requests.labels("l", {key: ""})) == ["map.keys.pattern"]
    assert found(requests.labels("l", {"env": "x" * 256})) == ["string.max_len"]


def test_a_tools_name_is_at_most_64_characters() -> None:
    assert found(requests.tool_name("tool", "x" * 64)) == []
    assert found(requests.tool_name("tool", "x" * 65)) == ["string.max_len"]
    assert found(requests.tool_name("tool", "")) == ["required"]
