"""`toolcell dev` serves what is saved: the real server, watched from outside."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.dev_server import PROGRAMS, Server, environment

CONTRACT = """syntax = "proto3";
package probe.v1;
// Holds text.
message Text {
  // The text.
  string text = 1;
}
// Tools to change.
service ProbeService {
  // Says something.
  rpc Say(Text) returns (Text);
  // Names its zygote.
  rpc Name(Text) returns (Text);
}
"""
SAY = "def handler(arguments, cell):\n    return {{'text': '{0}'}}\n"
NAME = "import os\n\n\ndef handler(arguments, cell):\n"
NAME += "    return {'text': f'{os.getppid()} {os.getpid()}'}\n"
WARM = 2  # cells that wait, by default
HOLD = """import signal


def handler(arguments, cell):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    signal.signal(signal.SIGUSR1, lambda *_: None)  # seen from outside: it waits
    signal.sigwait([signal.SIGUSR1])
    return {'text': 'held'}
"""
DATA = "from pathlib import Path\n\nhere = Path(__file__).parent / 'data/words.txt'\n\n\n"
DATA += "def handler(arguments, cell):\n    return {'text': here.read_text()}\n"
POLICY = 'read = ["data"]\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write(tmp_path, "protos/probe.proto", CONTRACT)
    write(tmp_path, "handlers/say/handler.py", SAY.format("old"))
    write(tmp_path, "handlers/say/cell.toml", POLICY)
    write(tmp_path, "handlers/say/data/words.txt", "old words")
    write(tmp_path, "handlers/name/handler.py", NAME)
    with Server.dev(tmp_path) as running:
        yield running


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def call(server: Server, tool: str) -> str:
    text: str = json.loads(server.output("call", tool, "{}"))["text"]
    return text


def children(process: int) -> set[int]:
    """Returns the processes that any thread of a process has started."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return {int(number) for task in tasks for number in task.read_text().split()}


def settled(server: Server) -> tuple[int, set[int]]:
    """Calls `name`; returns its zygote and the cells that wait, once the one that was used is replaced."""
    zygote, used = map(int, call(server, "name").split())
    while len(cells := children(zygote)) != WARM or used in cells:
        os.sched_yield()
    return zygote, cells


def save(server: Server, name: str, text: str, says: str) -> str:
    """Saves a file and waits until the server says something about it."""
    said = len(server.lines)
    write(server.folder, name, text)
    return server.line_with(says, after=said)


def test_a_saved_handler_answers_and_the_other_tool_keeps_its_processes(server: Server) -> None:
    assert call(server, "say") == "old"
    zygote, warm = settled(server)
    assert "ms" in save(server, "handlers/say/handler.py", SAY.format("new"), "changed=say")
    assert call(server, "say") == "new"
    assert children(zygote) == warm
    assert settled(server)[0] == zygote
    assert len(children(server.pid)) == 2


def test_a_data_file_a_policy_and_a_contract_are_served_when_they_are_saved(server: Server) -> None:
    save(server, "handlers/say/handler.py", DATA, "changed=say")
    assert call(server, "say") == "old words"
    save(server, "handlers/say/data/words.txt", "new words", "changed=say")
    assert call(server, "say") == "new words"
    save(server, "handlers/say/cell.toml", POLICY + 'memory = "64 MiB"\n', "changed=say")
    save(server, "protos/probe.proto", CONTRACT.replace("Says something", "Says a word"), "changed=say")
    assert "Says a word" in server.output("tools", "say")


def test_a_call_that_runs_finishes_on_its_revision_and_its_record_names_it(server: Server) -> None:
    save(server, "handlers/say/handler.py", HOLD, "changed=say")
    revision = json.loads(server.output("tools", "say", "--json"))["revision"]
    command = [str(PROGRAMS / "toolcell"), "call", "say", "{}"]
    with subprocess.Popen(
        command, cwd=server.folder, env=environment(), stdout=subprocess.PIPE, text=True
    ) as running:
        cell = held(server.pid)
        save(server, "handlers/say/handler.py", SAY.format("new"), "changed=say")
        assert call(server, "say") == "new"
        assert running.poll() is None
        os.kill(cell, signal.SIGUSR1)
        assert running.communicate()[0] == '{"text":"held"}\n'
    newest, oldest = json.loads(server.output("runs", "--tool", "say", "--json"))
    assert oldest["revision"] == revision
    assert newest["revision"] != revision


def held(server: int) -> int:
    """Waits for the cell whose handler waits for SIGUSR1: it is the one that runs the call."""
    bit = 1 << (signal.SIGUSR1 - 1)
    while True:
        for process in [cell for zygote in children(server) for cell in children(zygote)]:
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:
                continue
            if int(status.split("SigCgt:")[1].split()[0], 16) & bit:
                return process
        os.sched_yield()


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("handlers/say/handler.py", "def handler(:\n", "handlers/say/handler.py:1:13: "),
        ("handlers/say/handler.py", "x = 1\nimport nothing\n", "handlers/say/handler.py:2:1: "),
        ("handlers/say/cell.toml", 'memroy = "1 MiB"\n', "handlers/say/cell.toml:1:1: "),
        ("protos/probe.proto", CONTRACT.replace("string", "strong"), "protos/probe.proto:6:3: "),
    ],
)
def test_a_broken_file_is_explained_and_the_revision_before_goes_on(
    server: Server, name: str, text: str, where: str
) -> None:
    assert call(server, "say") == "old"
    mended = (server.folder / name).read_text()
    said = len(server.lines)
    line = save(server, name, text, where)
    assert "the revision before is served: " in line
    assert "Correct" in line
    assert call(server, "say") == "old"
    assert sum(where in later for later in server.lines[said:]) == 1
    done = server.toolcell("reload")
    assert done.returncode == 1
    assert "is served." in done.stderr
    save(server, name, mended, "mended=")
    assert call(server, "say") == "old"
    save(server, "handlers/say/handler.py", SAY.format("new"), "changed=say")
    assert call(server, "say") == "new"
