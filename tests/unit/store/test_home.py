"""One server holds a state directory, and nobody else can look into it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from toolcell.store.home import Home
from toolcell.store.interface import StoreUnusable

HOLDER = """
import pathlib, signal, sys
from toolcell.store.home import Home
home = Home(pathlib.Path(sys.argv[1]))
print("held", flush=True)
signal.pause()
"""


def test_everything_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home = Home(tmp_path / "a" / "state")
    finally:
        os.umask(old)
    assert home.directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in home.directory.iterdir()} == {
        "lock": 0o600,
        "toolcell.db": 0o600,
        ".gitignore": 0o600,
    }
    home.release()


def test_git_does_not_see_it(tmp_path: Path) -> None:
    Home(tmp_path).release()
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_a_database_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "toolcell.db").touch(0o644)
    Home(tmp_path).release()
    assert (tmp_path / "toolcell.db").stat().st_mode & 0o777 == 0o600


def test_a_second_server_hears_which_process_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(
        StoreUnusable, match=rf"in use by process {holder.pid} \({tmp_path}\)\. Stop that server"
    ):
        Home(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    home = Home(tmp_path)
    assert home.was_unclean
    home.release()


def test_one_that_was_released_was_clean_and_one_that_was_abandoned_was_not(tmp_path: Path) -> None:
    first = Home(tmp_path)
    assert not first.was_unclean
    first.release()
    second = Home(tmp_path)
    assert not second.was_unclean
    second.abandon()
    third = Home(tmp_path)
    assert third.was_unclean
    third.release()


def test_a_refusal_leaves_no_descriptor_open(tmp_path: Path) -> None:
    home = Home(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StoreUnusable):
        Home(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    home.release()


@pytest.mark.parametrize("broken", ["file/state", "file"])
def test_a_directory_that_cannot_be_is_a_clear_refusal(tmp_path: Path, broken: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=r"cannot be used: .* or choose another directory") as caught:
        Home(tmp_path / broken)
    assert "file" in caught.value.where


def test_a_database_that_is_a_directory_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "toolcell.db").mkdir()
    with pytest.raises(StoreUnusable, match=r"toolcell\.db"):
        Home(tmp_path)
