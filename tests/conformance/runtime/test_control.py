"""The control conversation of a launcher, frame by frame."""

import os
import socket
from pathlib import Path

from tests.conformance.runtime.launch import launched, spawned

HANDLER = "def handler(arguments, cell):\n    import os; os._exit(arguments['exit'])"
CALL = {
    "kind": "call",
    "invocation_id": "",
    "tool_call_id": "",
    "attempt": 1,
    "deadline_seconds": 9,
    "output_limit_bytes": 100,
}


def test_a_cell_s_end_is_told_with_its_status(tmp_path: Path) -> None:
    with launched(tmp_path, HANDLER) as control:
        assert control.receive_message() == {"kind": "started"}
        with spawned(control) as cell:
            assert cell.receive() == {"kind": "ready"}
            cell.send({**CALL, "arguments": {"exit": 5}})
            assert cell.receive() == {}
        told = control.receive_message()
        assert told.items() >= {"kind": "exited", "serial": 1, "exit": 5, "signal": 0}.items()
        assert told["cpu_microseconds"] > 0
        assert told["memory_peak_bytes"] > 1 << 20


def test_a_cell_ends_when_its_channel_does(tmp_path: Path) -> None:
    with launched(tmp_path, HANDLER) as control:
        control.receive_message()
        with spawned(control) as cell:
            assert cell.receive() == {"kind": "ready"}
        assert control.receive_message().items() >= {"kind": "exited", "exit": 0, "signal": 0}.items()


def test_the_handle_that_comes_with_a_cell_is_a_pidfd(tmp_path: Path) -> None:
    with launched(tmp_path, HANDLER) as control:
        control.receive_message()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            control.send({"kind": "spawn", "serial": 7}, theirs.fileno(), 1, 2)
            _, (handle,), _, _ = socket.recv_fds(control._connection, 4096, 1)
            assert "Pid:" in Path(f"/proc/self/fdinfo/{handle}").read_text()
            os.close(handle)


def test_a_failed_import_is_told_with_its_stack(tmp_path: Path) -> None:
    with launched(tmp_path, "import nothing_of_the_kind") as control:
        told = control.receive_message()
    assert told["kind"] == "import_failed"
    assert told["type"] == "ModuleNotFoundError"
    assert "handler.py" in told["stack"]


def test_an_import_after_the_fork_fails_in_the_cell(tmp_path: Path) -> None:
    with launched(tmp_path, "import nothing_of_the_kind", preload=False) as control:
        assert control.receive_message() == {"kind": "started"}
        with spawned(control) as cell:
            assert cell.receive()["kind"] == "import_failed"


def test_threads_are_told(tmp_path: Path) -> None:
    source = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    with launched(tmp_path, f"{source}\n{HANDLER}") as control:
        assert control.receive_message() == {"kind": "threaded"}


def test_a_step_that_fails_is_told_and_nothing_runs(tmp_path: Path) -> None:
    with launched(tmp_path, HANDLER, changes={"view": [["/nowhere", "tree"]]}) as control:
        told = control.receive_message()
    assert told["kind"] == "launch_failed"
    assert told["step"] == "restrict with Landlock"
