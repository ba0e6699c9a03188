"""`toolcell job` against a real server, off and on a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.system.dev_server import PROGRAMS, Server, environment
from tests.system.job_workspace import let_go, make, serve


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serve(folder) as running:
        yield running


ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C becomes SIGINT
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """The command line on a terminal of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, PROGRAMS / "toolcell", *words],
            cwd=folder,
            env=environment(NO_COLOR="1"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def until(self, pattern: str) -> str:
        """Reads until the terminal shows something after what it showed before; returns the match."""
        while not (match := re.search(pattern, self.shown)):
            assert select.select([self._master], [], [], 30)[0], self.shown
            try:
                self.shown += os.read(self._master, 4096).decode()
            except OSError:  # nobody writes there any more
                raise AssertionError(self.shown) from None
        self.shown = self.shown[match.end() :]
        return match[0]

    def type(self, text: str) -> None:
        """Types."""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Returns the exit code."""
        return self.process.wait(30)


def test_a_job_is_started_shown_listed_and_waited_for(folder: Path, server: Server) -> None:
    job = server.output("job", "start", "safe", "-a", "name=one", "--label", "test=one").strip()
    assert re.fullmatch(r"job_[0-9a-z]{26}", job)
    late = server.toolcell("job", "wait", job, "--timeout", "1ms")
    assert (late.returncode, late.stdout, f"toolcell job wait {job}" in late.stderr) == (7, "", True)
    let_go(folder, "one")
    assert json.loads(server.output("job", "wait", job)) == {"name": "one", "attempt": 1}
    card = server.output("job", "get", job)
    for part in (job, "SUCCEEDED", "test=one", "ran", '{"name":"one","attempt":1}'):
        assert part in card
    header, row = server.output("job", "list", "--label", "test=one").splitlines()
    assert header.split() == ["JOB", "TIME", "TOOL", "STATE", "ATTEMPT", "CALLER"]
    assert row.split()[0] == job
    (found,) = json.loads(server.output("job", "list", "--label", "test=one", "--json"))
    assert found == json.loads(server.output("job", "get", job, "--json"))
    assert json.loads(server.output("job", "wait", job, "--json")) == found
    assert found["invocation_id"] in server.output("runs", "--job", job)
    assert f"{job}, attempt 1" in server.output("trace", found["invocation_id"])


def test_a_job_that_is_waited_for_at_once_is_like_a_call(folder: Path, server: Server) -> None:
    let_go(folder, "now")
    assert json.loads(server.output("job", "start", "unsafe", '{"name": "now"}', "--wait"))["name"] == "now"


def test_a_cancelled_job_is_told_apart(server: Server) -> None:
    job = server.output("job", "start", "safe", "-a", "name=never").strip()
    done = server.toolcell("job", "cancel", job)
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(f"{job} is (being cancelled|CANCELLED)\n", done.stderr)
    done = server.toolcell("job", "wait", job)
    assert (done.returncode, "(CANCELLED)" in done.stderr) == (1, True)
    assert "is CANCELLED" in server.toolcell("job", "cancel", job).stderr


def test_a_job_there_is_not_and_a_word_that_is_no_job(server: Server) -> None:
    for word, code in (("job_" + "0" * 26, 5), ("x", 3)):
        for verb in ("get", "wait", "cancel"):
            done = server.toolcell("job", verb, word)
            assert (done.returncode, done.stdout) == (code, ""), done
    none = server.toolcell("job", "list", "--tool", "nothing")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no job fits\n")


def test_a_terminal_shows_how_far_a_job_is(folder: Path, server: Server) -> None:
    with Terminal(folder, "job", "start", "safe", "-a", "name=shown", "--wait") as terminal:
        terminal.until(r"job_\w+  RUNNING  \d:\d\d  50% at the gate")
        let_go(folder, "shown")
        terminal.until('"name": "shown"')
        assert terminal.end() == 0


def test_ctrl_c_offers_to_cancel_the_job(folder: Path, server: Server) -> None:
    with Terminal(folder, "job", "start", "safe", "-a", "name=never", "--wait") as terminal:
        job = terminal.until(r"job_\w+")
        terminal.type("\x03")
        terminal.until(r"Cancel the job\?")
        terminal.type("n\n")
        terminal.until("RUNNING")
        terminal.type("\x03")
        terminal.until(r"Cancel the job\?")
        terminal.type("y\n")
        terminal.until(r"\(CANCELLED\)")
        assert terminal.end() == 1
        assert '"STATE_CANCELLED"' in server.output("job", "get", job, "--json")


def test_ctrl_c_twice_leaves_the_job_running_and_says_where(folder: Path, server: Server) -> None:
    with Terminal(folder, "job", "start", "safe", "-a", "name=left", "--wait") as terminal:
        job = terminal.until(r"job_\w+")
        terminal.type("\x03")
        terminal.until(r"Cancel the job\?")
        terminal.type("\x03")
        terminal.until(f"toolcell job wait {job}")
        assert terminal.end() == 130
        let_go(folder, "left")
        assert json.loads(server.output("job", "wait", job))["name"] == "left"
