"""A launcher's process and the control conversation with it, as the server holds them."""

import array
import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from toolcell.wire.conversation import CONTROL, Conversation
from toolcell.wire.frames import Decoder, Frame, ProtocolError, encode

LAUNCHER = Path(__file__).with_name("launcher.py")

_MESSAGE_BYTES: Final = 64 * 1024
_SEND_BUFFER: Final = 256 * 1024
_SPACE: Final = socket.CMSG_SPACE(
    4 * 4
)  # one descriptor is expected; room for more shows a lie and hides none
_SEND: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_RECEIVE: Final = int(socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
_TRUNCATED: Final = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears the process: a frame came with its descriptors; it broke the rules; it died.

    `said` keeps a descriptor by removing it from the array, raises ProtocolError for what it cannot accept.
    """

    said: "Callable[[Frame, array.array[int]], None]"
    broke: Callable[[str], None]
    died: Callable[[str], None]


class Control:
    """Starts the process, and hears it until its end; `gone` is done when it has been waited for.

    The process is a child of the calling thread, which has to be the loop's own: it ends with that thread.
    """

    def __init__(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._conversation = Conversation(CONTROL)
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        with theirs:
            try:
                self._process, self._pidfd = _start(theirs)
            except OSError:
                self._socket.close()
                raise
        self.process_id = self._process.pid
        self._loop.add_reader(self._pidfd, self._on_death)
        self._loop.add_reader(self._socket.fileno(), self._on_message)

    def send(self, kind: str, fields: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Sends a frame, and descriptors with it; not to listen counts as breaking the rules."""
        self._conversation.send(kind)
        rights = array.array("i", descriptors or [])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self._socket.sendmsg([encode(kind, fields)], ancillary, _SEND)
        except (BrokenPipeError, ConnectionResetError):
            self._kill()  # it died, or wants to linger: the end of the process tells
        except OSError as error:
            self._listener.broke(f"it does not listen ({error.strerror})")

    def end(self) -> None:
        """Kills the process and everything it started."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._kill()

    @property
    def is_open(self) -> bool:
        """Tells whether `end` has not been called."""
        return self._socket.fileno() >= 0

    @property
    def is_ending(self) -> bool:
        """Tells whether the process has let go of the conversation, as it does when it dies.

        That is true before any of its children hear of its death, so before their ends are seen here.
        """
        if not self.is_open:
            return True
        poll = select.poll()
        poll.register(self._socket, 0)
        return bool(poll.poll(0))

    def _on_message(self) -> bool:
        """Takes one message; returns whether there may be another."""
        try:
            message, ancillary, flags, _ = self._socket.recvmsg(_MESSAGE_BYTES, _SPACE, _RECEIVE)
        except BlockingIOError:
            return False
        except OSError:
            message, ancillary, flags = b"", [], 0
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data[: len(data) // 4 * 4])
        try:
            if (
                not message
            ):  # it died, or wants to linger: killed either way, and the end of the process tells
                self._loop.remove_reader(self._socket.fileno())
                self._kill()
                return False
            if flags & _TRUNCATED:
                raise ProtocolError("a message is longer than any of its kind")
            frame = _one_frame(message)
            self._conversation.receive(frame)
            self._listener.said(frame, descriptors)
        except ProtocolError as error:
            self._listener.broke(f"it broke the rules of the wire: {error}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return self.is_open

    def _on_death(self) -> None:
        self._loop.remove_reader(self._pidfd)
        while self.is_open and self._on_message():
            pass  # its last words may still be in the socket, behind the news of its death
        if self.is_open:
            self._listener.died(_how_it_ended(self.process_id))
        self._kill()
        os.close(self._pidfd)
        self._process.wait()
        self.gone.set_result(None)

    def _kill(self) -> None:
        # Its number cannot have been given to another process: it has not been waited for.
        try:
            os.killpg(self.process_id, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()  # it does not lead a group yet


def _start(control: socket.socket) -> tuple[subprocess.Popen[bytes], int]:
    """Starts a launcher and returns it with its pidfd; raises OSError."""
    interpreter = getattr(sys, "_base_executable", None) or sys.executable
    process = subprocess.Popen(
        [interpreter, "-I", "-S", "-B", "-X", "utf8", str(LAUNCHER), str(control.fileno())],
        env={},
        cwd="/",
        pass_fds=(control.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return process, os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.wait()
        raise


def _how_it_ended(process_id: int) -> str:
    """Looks at a dead child without waiting for it, so that its number stays taken."""
    result = os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if result is None:
        return "unknown how"
    if result.si_code == os.CLD_EXITED:
        return f"exit {result.si_status}"
    return f"signal {signal.Signals(result.si_status).name}"


def _one_frame(message: bytes) -> Frame:
    decoder = Decoder(_MESSAGE_BYTES)
    found = list(decoder.feed(message))
    if len(found) != 1 or decoder.has_part:
        raise ProtocolError("a message is not exactly one frame")
    return found[0]
