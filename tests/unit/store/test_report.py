"""A store can be looked at without disturbing it."""

import sqlite3
from pathlib import Path

import pytest

from tests.conformance.store.samples import StillClock, token
from toolcell.store.interface import Retention, StoreUnusable
from toolcell.store.report import report
from toolcell.store.sqlite import open_store


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_a_running_store_is_reported_and_not_disturbed(tmp_path: Path) -> None:
    store = await open_store(tmp_path, clock=StillClock(), retention=Retention())
    await store.tokens.add(token())
    told = report(tmp_path)
    assert told.path == tmp_path / "toolcell.db"
    assert told.schema == "m0003_stream"
    assert told.sqlite_version == sqlite3.sqlite_version
    assert told.size_bytes > 4096
    await store.tokens.revoke("tok_1", 1)
    await store.close()


async def test_a_closed_store_is_reported_and_nothing_is_left_behind(tmp_path: Path) -> None:
    await (await open_store(tmp_path, clock=StillClock(), retention=Retention())).close()
    before = names(tmp_path)
    told = report(tmp_path)
    assert told.size_bytes > 4096
    assert told.schema == "m0003_stream"
    assert names(tmp_path) == before


def test_no_store_is_reported_as_empty_and_not_made(tmp_path: Path) -> None:
    told = report(tmp_path / "state")
    assert (told.size_bytes, told.schema) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("version", "fixed"), [((3, 40, 1), False), ((3, 51, 2), False), ((3, 51, 3), True)])
def test_a_sqlite_that_can_corrupt_shared_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], fixed: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert report(tmp_path).is_sqlite_fixed is fixed


def test_a_file_that_is_no_database_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "toolcell.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnusable, match="cannot be read: file is not a database"):
        report(tmp_path)
