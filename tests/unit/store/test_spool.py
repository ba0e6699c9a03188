"""What is written to the spool is found again, whatever the disk does."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolcell.model.errors import StoreFull, StoreUnavailable
from toolcell.store.spool import Spool, discard, recover

MEBIBYTE = 1 << 20


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path, first=1)
    yield opened
    opened.close()


def found(directory: Path) -> list[tuple[int, str, object]]:
    return [(entry.sequence, entry.kind, entry.row) for entry in recover(directory)]


@contextmanager
def written_to(spool: Spool, path: str, flags: int) -> Iterator[None]:
    """Has the spool write to another file for a while."""
    own = spool._active.descriptor
    spool._active.descriptor = other = os.open(path, flags)
    try:
        yield
    finally:
        os.close(other)
        spool._active.descriptor = own


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_rows_are_found_in_order_with_their_numbers(spool: Spool, tmp_path: Path) -> None:
    assert [spool.append("end", {"n": n, "text": "ü\n\ud800"}) for n in range(3)] == [1, 2, 3]
    assert found(tmp_path) == [(n + 1, "end", {"n": n, "text": "ü\n\ud800"}) for n in range(3)]


def test_only_its_owner_can_read_it(spool: Spool, tmp_path: Path) -> None:
    spool.append("end", {})
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_numbers_start_where_they_are_told_to(tmp_path: Path) -> None:
    spool = Spool(tmp_path, first=77)
    assert spool.append("end", {}) == 77
    spool.close()


def test_waiting_rows_come_oldest_first_until_they_are_drained(spool: Spool) -> None:
    for number in range(5):
        spool.append("end", {"n": number})
    assert [entry.sequence for entry in spool.head(3)] == [1, 2, 3]
    spool.drained(3)
    assert [entry.sequence for entry in spool.head(3)] == [4, 5]
    before = spool.is_drained
    spool.drained(5)
    assert (before, spool.is_drained, spool.waiting_bytes) == (False, True, 0)
    assert spool.drained_to == spool.last == 5


def test_it_is_full_when_too_much_waits_and_not_when_that_was_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path, first=1, limit_bytes=1000)
    while not spool.is_full:
        spool.append("end", {"text": "x" * 100})
    assert 1000 <= spool.waiting_bytes < 1200
    spool.close()


def test_what_was_drained_makes_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, first=1, limit_bytes=200)
    assert not spool.is_full
    spool.append("end", {"text": "x" * 200})
    spool.drained(1)
    assert not spool.is_full
    spool.close()


def test_a_large_file_is_followed_by_another_and_goes_when_it_is_drained(
    spool: Spool, tmp_path: Path
) -> None:
    for _ in range(9):
        spool.append("end", {"text": "x" * MEBIBYTE})
    assert len(list(tmp_path.iterdir())) == 3
    assert [sequence for sequence, _, _ in found(tmp_path)] == list(range(1, 10))
    spool.drained(4)
    assert [sequence for sequence, _, _ in found(tmp_path)] == list(range(5, 10))
    spool.drained(9)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_drained_spool_leaves_nothing_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path, first=1)
    spool.append("end", {})
    spool.drained(1)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_drained_stays_after_closing_until_it_is_discarded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, first=1)
    spool.append("end", {"a": 1})
    spool.close()
    assert found(tmp_path) == [(1, "end", {"a": 1})]
    discard(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_refuses_and_keeps_nothing(spool: Spool, tmp_path: Path) -> None:
    spool.append("end", {"n": 1})
    with written_to(spool, "/dev/full", os.O_WRONLY), pytest.raises(StoreFull, match="Free space") as caught:
        spool.append("end", {"n": 2})
    assert caught.value.retry_after == 5.0
    assert spool.append("end", {"n": 3}) == 2
    assert found(tmp_path) == [(1, "end", {"n": 1}), (2, "end", {"n": 3})]
    assert len(spool.head(9)) == 2


def test_a_failing_disk_refuses_and_keeps_nothing(spool: Spool, tmp_path: Path) -> None:
    with written_to(spool, "/dev/null", os.O_RDONLY), pytest.raises(StoreUnavailable, match="Check the disk"):
        spool.append("end", {"n": 1})
    assert spool.append("end", {"n": 2}) == 1
    assert found(tmp_path) == [(1, "end", {"n": 2})]


def test_a_line_that_the_disk_cut_short_is_overwritten(spool: Spool, tmp_path: Path) -> None:
    spool.append("end", {"n": 1})
    with files_no_larger_than(spool._active.size + 50), pytest.raises(StoreFull):
        spool.append("end", {"text": "x" * 200})
    assert spool._active.path.stat().st_size == spool._active.size + 50
    spool.append("end", {"n": 2})
    assert found(tmp_path) == [(1, "end", {"n": 1}), (2, "end", {"n": 2})]


def test_a_row_that_is_only_held_waits_without_a_line(spool: Spool, tmp_path: Path) -> None:
    spool.append("end", {"n": 1})
    spool.hold("end", {"n": 2})
    assert spool.append("end", {"n": 3}) == 3
    assert [entry.sequence for entry in spool.head(9)] == [1, 2, 3]
    assert [sequence for sequence, _, _ in found(tmp_path)] == [1, 3]


def test_a_damaged_line_is_passed_over(spool: Spool, tmp_path: Path) -> None:
    for number in range(3):
        spool.append("end", {"n": number})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b'{"n":1}', b'{"n":7}'))
    assert [sequence for sequence, _, _ in found(tmp_path)] == [1, 3]


def test_zeros_that_a_loss_of_power_left_are_passed_over(spool: Spool, tmp_path: Path) -> None:
    spool.append("end", {"n": 1})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b"\0" * 4096)
    assert found(tmp_path) == [(1, "end", {"n": 1})]
