"""The ring keeps the newest events, bounded in count and bytes, and finds them by number."""

from toolcell.store.happenings import Happening, Subject
from toolcell.store.ring import SLOT_BYTES, Ring

SUBJECT = Subject("inv_1", "echo", "ada", "0" * 32, "", "", {})


def happening(sequence: int, size: int = 0) -> Happening:
    return Happening(sequence, SUBJECT, 1, "log", "x" * size, is_failure=False)


def kept(ring: Ring) -> list[int]:
    return [each.sequence for each in ring.after(ring.first - 1, ring.last)]


def opened(last: int = 100, **bounds: int) -> Ring:
    ring = Ring(**bounds)
    ring.open(last)
    return ring


def test_a_closed_ring_keeps_nothing() -> None:
    ring = Ring()
    assert not ring._slots
    ring.open(7)
    assert len(ring._slots) == 1 << 16
    assert kept(ring) == []
    ring.close()
    assert not ring._slots


def test_events_are_found_by_number() -> None:
    ring = opened()
    for sequence in (101, 102, 105, 109):  # the others are numbers without an event
        ring.add(happening(sequence))
    assert kept(ring) == [101, 102, 105, 109]
    assert [each.sequence for each in ring.after(101, 105)] == [102, 105]
    assert [each.sequence for each in ring.after(105, 108)] == []
    assert [each.sequence for each in ring.after(108, 200)] == [109]


def test_the_oldest_go_when_there_are_too_many() -> None:
    ring = opened(count=4)
    for sequence in range(101, 111):
        ring.add(happening(sequence))
        assert kept(ring) == list(range(max(101, sequence - 3), sequence + 1))
    ring.add(happening(112))
    assert (ring.first, kept(ring)) == (109, [109, 110, 112])
    ring.add(happening(120))
    assert (ring.first, kept(ring)) == (117, [120])
    ring.add(happening(100_000))
    assert kept(ring) == [100_000]


def test_the_oldest_go_when_they_are_too_large() -> None:
    ring = opened(limit_bytes=3 * SLOT_BYTES)
    for sequence in range(101, 105):
        ring.add(happening(sequence))
    assert kept(ring) == [102, 103, 104]
    ring.add(happening(105, SLOT_BYTES))
    assert kept(ring) == [104, 105]
    ring.add(happening(106, 10 * SLOT_BYTES))  # too large for itself: readers find it in the database
    assert kept(ring) == []
    assert ring.first == 107
    ring.add(happening(107))
    assert kept(ring) == [107]
