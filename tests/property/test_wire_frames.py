"""However bytes are split, frames come out as they went in; other bytes make a ProtocolError."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from toolcell.wire.frames import Decoder, ProtocolError, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
FIELDS = st.dictionaries(TEXT.filter(lambda name: name != "kind"), VALUES, max_size=4)


@given(st.lists(st.tuples(TEXT, FIELDS), max_size=4), st.lists(st.integers(0, 2000)))
def test_frames_survive_every_split(said: list[tuple[str, dict[str, Any]]], cuts: list[int]) -> None:
    data = b"".join(encode(kind, fields) for kind, fields in said)
    decoder, heard, at = Decoder(1 << 20), [], 0
    for end in (*sorted(cuts), len(data)):
        heard += [(frame.kind, frame.fields) for frame in decoder.feed(data[at:end])]
        at = max(at, min(end, len(data)))
    assert heard == said
    assert not decoder.has_part


@given(st.lists(st.binary()))
def test_garbage_is_never_more_than_a_protocol_error(parts: list[bytes]) -> None:
    decoder = Decoder(1 << 16)
    with contextlib.suppress(ProtocolError):
        for part in parts:
            list(decoder.feed(part))


@given(
    st.binary() | TEXT.map(str.encode) | VALUES.map(lambda value: encode("x", {"v": value})[4:]), st.data()
)
def test_a_frame_with_a_byte_changed_is_a_frame_or_a_protocol_error(
    payload: bytes, data: st.DataObject
) -> None:
    changed = bytearray(payload)
    if changed:
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        for frame in Decoder(1 << 20).feed(len(changed).to_bytes(4, "big") + changed):
            encode(frame.kind, frame.fields)
