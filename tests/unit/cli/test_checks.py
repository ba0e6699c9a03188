"""What the doctor finds, on real files, sockets and databases."""

import shutil
import socket
import sqlite3
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolcell.cli import checks
from toolcell.cli.checks import FAIL, OK, WARN


def test_an_old_python_is_a_failure() -> None:
    assert checks.python((3, 11, 2)).verdict == OK
    assert checks.python((3, 10, 9)).verdict == FAIL


def test_the_libraries_of_this_environment_are_found() -> None:
    (found,) = checks.libraries()
    assert found.verdict == OK
    assert "grpcio 1." in found.detail


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: ["click>=8", "nothing-such>=1", "x; extra == 'y'"])
    (found,) = checks.libraries()
    assert (found.verdict, found.detail) == (FAIL, "missing: nothing-such")


def test_an_sqlite_that_two_may_not_write_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, verdict in (((3, 40, 1), WARN), ((3, 51, 2), WARN), ((3, 51, 3), OK)):
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        library, database = checks.database(tmp_path)
        assert (library.verdict, bool(library.advice)) == (verdict, verdict != OK)
        assert database.detail == "not made yet"


def test_state_that_others_may_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "dev.key").touch(0o640)
    (tmp_path / "dev.key").chmod(0o640)
    (tmp_path / "address").touch(0o600)
    tmp_path.chmod(0o700)
    found = {check.detail.split(",")[0].split(" has")[0]: check for check in checks.state(tmp_path)}
    assert found[str(tmp_path)].verdict == OK
    assert found[f"{tmp_path}/address"].verdict == OK
    assert found[f"{tmp_path}/dev.key"].advice == f"chmod 600 {tmp_path}/dev.key"


def test_a_database_that_is_none_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "toolcell.db").write_bytes(b"no database at all" * 100)
    (found,) = checks.database(tmp_path)
    assert found.verdict == FAIL
    assert found.advice


def test_state_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert [check.verdict for check in checks.state(tmp_path / "later")] == [OK]


def test_a_port_is_free_taken_or_serving(tmp_path: Path) -> None:
    assert checks.port("127.0.0.1:0", tmp_path).verdict == OK
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        assert checks.port(address, tmp_path).verdict == WARN
        (tmp_path / "address").write_text(f"{address}\n")
        assert "is serving there" in checks.port("127.0.0.1:7333", tmp_path).detail
    assert checks.port(address, tmp_path).detail == f"{address} is free"


def test_private_files_that_are_not_there_are_passed_over(tmp_path: Path) -> None:
    assert checks.private_files((None, tmp_path / "nothing")) == []


def test_the_disk_is_judged_by_the_room_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((0, FAIL), (100 << 20, WARN), (1 << 40, OK)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        found = checks.disk(tmp_path / "made/later")
        assert (found.verdict, bool(found.advice)) == (verdict, verdict != OK)
