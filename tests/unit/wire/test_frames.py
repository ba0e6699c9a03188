"""Frames: what is accepted, and the one way in which everything else is refused."""

import math

import pytest

from toolcell.wire.frames import DEPTH_LIMIT, Decoder, Frame, ProtocolError, encode


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def test_a_frame_comes_back_as_it_was() -> None:
    data = encode("log", {"message": "é", "number": 1.5, "list": [None, True]})
    (frame,) = Decoder(100).feed(data)
    assert frame == Frame("log", {"message": "é", "number": 1.5, "list": [None, True]}, len(data) - 4)


def test_json_text_is_spliced_in_as_it_is() -> None:
    data = encode("call", {"attempt": 1}, arguments='{"a" : 1}', labels="[]")
    assert data[4:] == b'{"kind":"call","attempt":1,"arguments":{"a" : 1},"labels":[]}'


def test_numbers_json_does_not_have_are_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode("result", {"value": math.nan})


REFUSED = {
    "not json": b"{",
    "not an object": b"[]",
    "no kind": b"{}",
    "a kind that is no text": b'{"kind":1}',
    "not utf-8": b'{"kind":"\xff"}',
    "utf-16": '{"kind":"ready"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"kind":"ready"}',
    "nan": b'{"kind":"result","value":NaN}',
    "infinity": b'{"kind":"result","value":-Infinity}',
    "an infinite number": b'{"kind":"result","value":1e999}',
    "an enormous integer": b'{"kind":"result","value":' + b"1" * 5000 + b"}",
    "half a surrogate pair": b'{"kind":"result","value":"\\ud800"}',
    "the other half, capital": b'{"kind":"result","value":{"\\uDC00":1}}',
    "half a pair in a list": b'{"kind":"result","value":[["\\udfff"]]}',
    "too deep": b'{"kind":"result","value":' + b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT + b"}",
    "far too deep": b'{"kind":"result","value":' + b"[" * 100_000,
    "something after it": b'{"kind":"ready"} {}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_frame_is_a_protocol_error(name: str) -> None:
    with pytest.raises(ProtocolError):
        list(Decoder(1 << 20).feed(framed(REFUSED[name])))


def test_a_whole_surrogate_pair_is_a_character() -> None:
    (frame,) = Decoder(100).feed(framed(b'{"kind":"result","value":"\\ud83d\\ude00"}'))
    assert frame.fields["value"] == "😀"


def test_nesting_up_to_the_limit_is_accepted() -> None:
    depth = DEPTH_LIMIT - 1
    (frame,) = Decoder(1000).feed(framed(b'{"kind":"result","value":' + b"[" * depth + b"]" * depth + b"}"))
    assert frame.kind == "result"


def test_brackets_in_text_are_no_nesting() -> None:
    (frame,) = Decoder(1000).feed(encode("log", {"message": "[{" * 200}))
    assert frame.fields["message"] == "[{" * 200


def test_a_length_over_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(ProtocolError, match="longer than 10"):
        list(Decoder(10).feed((11).to_bytes(4, "big")))


def test_a_part_of_a_frame_is_known() -> None:
    decoder = Decoder(100)
    data = encode("ready", {})
    states = [decoder.has_part]
    assert list(decoder.feed(data[:-1])) == []
    states.append(decoder.has_part)
    assert [frame.kind for frame in decoder.feed(data[-1:])] == ["ready"]
    assert [*states, decoder.has_part] == [False, True, False]


def test_frames_before_a_bad_one_are_not_lost() -> None:
    frames = Decoder(100).feed(encode("ready", {}) + framed(b"x"))
    assert next(frames).kind == "ready"
    with pytest.raises(ProtocolError):
        next(frames)
