"""A spool cut anywhere gives back what was written first; one damaged anywhere makes nothing up."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from toolcell.store.spool import Entry, Spool, recover

VALUES = st.one_of(st.integers(), st.none(), st.text(st.characters(codec=None)), st.booleans())
ROWS = st.lists(
    st.tuples(st.sampled_from(["begin", "event", "end"]), st.dictionaries(st.text(), VALUES, max_size=4)),
    max_size=8,
)


def written(
    directory: Path, rows: list[tuple[str, dict[str, Any]]]
) -> tuple[Path, list[tuple[int, str, Any]]]:
    """Writes rows to a new spool; returns its file and what should be recovered from it."""
    spool = Spool(directory, first=1)
    wanted = [(spool.append(kind, row), kind, row) for kind, row in rows]
    path = spool._active.path
    data = path.read_bytes()
    spool.close()
    path.write_bytes(data)  # closing an empty spool removes its file
    return path, wanted


def plain(entry: Entry) -> tuple[int, str, Any]:
    return entry.sequence, entry.kind, entry.row


@given(rows=ROWS, data=st.data())
def test_a_spool_cut_at_any_byte_gives_back_a_prefix(
    rows: list[tuple[str, Any]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, wanted = written(Path(name), rows)
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        recovered = [plain(entry) for entry in recover(Path(name))]
    assert recovered == wanted[: len(recovered)]
    # A line is whole without its newline too.
    assert len(recovered) in {whole[:cut].count(b"\n"), whole[:cut].count(b"\n") + 1}


@given(rows=ROWS, data=st.data())
def test_a_spool_damaged_at_any_byte_makes_nothing_up(
    rows: list[tuple[str, Any]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, wanted = written(Path(name), rows)
        damaged = bytearray(path.read_bytes())
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
            path.write_bytes(damaged)
        recovered = [plain(entry) for entry in recover(Path(name))]
    assert all(row in wanted for row in recovered)
    assert len(recovered) >= len(wanted) - 2  # a lost newline takes two lines with it
