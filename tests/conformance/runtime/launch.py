"""A real runtime in a real cell, spoken to frame by frame."""

import array
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.unit.cells.toolmaker import make_tool
from toolcell.cells.control import LAUNCHER
from toolcell.cells.setup import setup

Said = dict[str, Any]
SECONDS = 20.0


class Peer:
    """The server's end of a socket, with the frames as they are on the wire."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        self._connection = connection

    def send(self, frame: Said, *descriptors: int) -> None:
        payload = json.dumps(frame).encode()
        rights = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        self._connection.sendmsg([len(payload).to_bytes(4, "big") + payload], rights)

    def receive(self) -> Said:
        """Returns the next frame of a stream; an empty one at its end."""
        head = self._connection.recv(4, socket.MSG_WAITALL)
        if not head:
            return {}
        frame: Said = json.loads(self._connection.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        return frame

    def receive_message(self) -> Said:
        """Returns the one frame of the next message, and lets its descriptors go."""
        message, descriptors, _, _ = socket.recv_fds(self._connection, 1 << 16, 4)
        for descriptor in descriptors:
            os.close(descriptor)
        assert int.from_bytes(message[:4], "big") == len(message) - 4
        frame: Said = json.loads(message[4:])
        return frame


@contextmanager
def launched(
    directory: Path, source: str, *, changes: Mapping[str, Any] | None = None, **policy: Any
) -> Iterator[Peer]:
    """Starts a launcher for a handler and gives its control conversation, with the (changed) setup sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fields = setup(
        make_tool(directory, source, **policy), preload=policy.get("preload", True), landlock_abi=None
    )
    number = theirs.fileno()
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(number)]
    with ours, subprocess.Popen(command, env={}, pass_fds=[number]) as process:
        theirs.close()
        peer = Peer(ours)
        peer.send({"kind": "setup", **fields, **(changes or {})})
        yield peer
        ours.close()
        process.wait()


@contextmanager
def spawned(control: Peer) -> Iterator[Peer]:
    """Has one cell made and gives its conversation."""
    ours, theirs = socket.socketpair()
    nothing = os.open(os.devnull, os.O_WRONLY)
    control.send({"kind": "spawn", "serial": 1}, theirs.fileno(), nothing, nothing)
    assert control.receive_message() == {"kind": "spawned", "serial": 1}
    theirs.close()
    os.close(nothing)
    with ours:
        yield Peer(ours)
