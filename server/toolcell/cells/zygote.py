"""A zygote as the server holds it: the warm parent that makes the cells of one revision of a tool.

Theory of operation
-------------------
Starting a Python takes 50 ms; forking one that has the handler imported takes two; handing a call to a child
that was forked in advance takes a quarter of one. So each tool that is called has a zygote, which confines
itself, imports the handler and then only forks; and a zygote has a few cells that wait, `policy.pool.warm` of
them.

A call borrows a waiting cell, and the cell is used up by it. The next one is ordered after the answer has
left, so that forking never competes with a call for the processor; when no cell waits, one is ordered at once
and the call waits in line.

The process is started from the loop's thread, which lives as long as the server: the kernel kills the zygote
when the *thread* that started it ends (PR_SET_PDEATHSIG). It leads a session and a process group that none of
its descendants can leave, for the filter refuses setsid and setpgid: whatever a hostile handler forked at
import dies by one killpg, which is safe for as long as the zygote itself has not been waited for.

A zygote is not trusted once it has said `started`. What it sends is held against wire/conversation; the
pidfds it sends against /proc (cell.adopt); what it says about ended cells is used for words only. A lie ends
it, and its idle cells with it; a call that already runs in a cell is not disturbed by the server, though it
dies with its parent.
"""

import array
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from toolcell.cells.cell import Cell, ForeignProcessError, Keeper
from toolcell.model.tool import Tool
from toolcell.wire.conversation import CONTROL, Conversation
from toolcell.wire.frames import Decoder, Frame, ProtocolError, encode

LAUNCHER = Path(__file__).with_name("launcher.py")
START_SECONDS: Final = 20.0
"""From the start of the process to the handler imported."""

_MESSAGE_BYTES: Final = 64 * 1024
_SEND_BUFFER: Final = 256 * 1024
_DESCRIPTORS_A_MESSAGE: Final = 4  # one is expected; room for some more shows a lie instead of hiding it
_ORDERS_AT_ONCE: Final = 16
_LOST_IN_A_ROW: Final = 3
_UNREAPED: Final = 1024


class Why(StrEnum):
    """What kind of end a zygote came to; only IMPORT and BROKEN are somebody's fault."""

    IMPORT = "import"  # the handler does not import
    BROKEN = "broken"  # it died or lied before it was of use
    THREADED = "threaded"  # the handler must be imported in each cell instead
    RETIRED = "retired"  # nobody needs it


class ZygoteEndedError(Exception):
    """The zygote is gone; nothing was run. `reason` is for the operator, `stack` may be empty."""

    def __init__(self, why: Why, reason: str, stack: str = "") -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason
        self.stack = stack


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a zygote tells: it ended, and why; none of its cells is lent or waited for."""

    ended: "Callable[[Zygote, ZygoteEndedError], None]"
    idle: "Callable[[Zygote], None]"


class Zygote:
    """One zygote, from its start to its process having been waited for."""

    def __init__(self, tool: Tool, setup: dict[str, Any], owner: Owner) -> None:
        self.tool = tool
        self.last_used = 0.0
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._conversation = Conversation(CONTROL)
        self._keeper = Keeper(self._on_ready, self._on_lost, self._on_released)
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._cells: dict[int, Cell] = {}  # spawned or ordered, not yet said to have exited
        self._ordered: deque[Cell] = deque()
        self._making: set[Cell] = set()
        self._idle: deque[Cell] = deque()
        self._lent: set[Cell] = set()
        self._waiting: deque[asyncio.Future[Cell]] = deque()
        self._serial = self._lost = 0
        self._has_lent = False
        self._end: ZygoteEndedError | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        with theirs:
            self._process = _start(theirs)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._on_death)
        self._loop.add_reader(self._control.fileno(), self._on_control)
        self._timer = self._loop.call_later(START_SECONDS, self._on_late)
        self._say("setup", setup)

    @property
    def is_busy(self) -> bool:
        """Tells whether a call runs in one of its cells or waits for one."""
        return bool(self._lent or self._waiting)

    # ── lending ─────────────────────────────────────────────────────────────────────────────────────────────

    async def lend(self, seconds: float) -> Cell:
        """Returns a ready cell, for good; raises TimeoutError when none comes in time, ZygoteEndedError."""
        if self._end:
            raise self._end
        if self._idle:
            cell = self._idle.popleft()
        else:
            line = self._loop.create_future()
            self._waiting.append(line)
            self.refill()
            cell = await self._wait(line, seconds)
        self._lent.add(cell)
        self._lost = 0
        self._has_lent = True
        return cell

    async def _wait(self, line: asyncio.Future[Cell], seconds: float) -> Cell:
        try:
            async with asyncio.timeout(seconds):
                return await line
        except (asyncio.CancelledError, TimeoutError):
            if line.done() and not line.cancelled() and not line.exception():
                self._idle.append(line.result())  # it came just then: it is for the next one
            raise
        finally:
            if line in self._waiting:
                self._waiting.remove(line)

    async def fill(self) -> None:
        """Returns when a cell is ready to be lent; raises ZygoteEndedError when none ever will be."""
        if not self._idle:
            self._idle.appendleft(await self.lend(START_SECONDS))
            self._lent.discard(self._idle[0])
        self.refill()

    def refill(self) -> None:
        """Orders cells until as many are ready or on their way as the policy wants and calls wait for."""
        wanted = self.tool.policy.pool.warm + len(self._waiting) - len(self._idle)
        while not self._end and len(self._making) < min(wanted, _ORDERS_AT_ONCE):
            self._order()

    def _order(self) -> None:
        self._serial += 1
        cell = Cell(self._serial, self.tool.output_limit_bytes, self._keeper)
        self._cells[cell.serial] = cell
        self._making.add(cell)
        self._ordered.append(cell)
        self._say("spawn", {"serial": cell.serial}, cell.given)
        cell.give_away()

    # ── what cells tell ─────────────────────────────────────────────────────────────────────────────────────

    def _on_ready(self, cell: Cell) -> None:
        self._making.discard(cell)
        while self._waiting:
            line = self._waiting.popleft()
            if not line.done():
                line.set_result(cell)
                return
        self._idle.append(cell)

    def _on_lost(self, last: Frame | str) -> None:
        if isinstance(last, Frame):
            self.end(_import_failed(last))
            return
        self._lost += 1
        if self._lost >= _LOST_IN_A_ROW:
            self.end(ZygoteEndedError(Why.BROKEN, f"its cells end before they are called ({last})"))

    def _on_released(self, cell: Cell) -> None:
        self._making.discard(cell)
        self._lent.discard(cell)
        if cell in self._idle:
            self._idle.remove(cell)
        if self._end:
            return
        self.refill()
        if not self.is_busy:
            self._owner.idle(self)

    # ── what the zygote says ────────────────────────────────────────────────────────────────────────────────

    def _say(self, kind: str, fields: dict[str, Any], descriptors: list[int] | None = None) -> None:
        self._conversation.send(kind)
        rights = array.array("i", descriptors or [])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self._control.sendmsg(
                [encode(kind, fields)], ancillary, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            )
        except OSError as error:  # full for a zygote that does not read, broken for one that is gone
            self.end(ZygoteEndedError(Why.BROKEN, f"it does not listen ({error.strerror})"))

    def _on_control(self) -> bool:
        """Takes one message; returns whether there may be another."""
        space = socket.CMSG_SPACE(_DESCRIPTORS_A_MESSAGE * 4)
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        try:
            message, ancillary, got, _ = self._control.recvmsg(_MESSAGE_BYTES, space, flags)
        except BlockingIOError:
            return False
        except OSError:
            message, ancillary, got = b"", [], 0
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data[: len(data) // 4 * 4])
        try:
            if got & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise ProtocolError("a message is longer than any of its kind")
            if not message:  # it died, or wants to linger; the end of the process will tell
                self._loop.remove_reader(self._control.fileno())
                self._kill()
                return False
            self._hear(_one_frame(message), descriptors)
            return not self._end
        except (ProtocolError, ForeignProcessError) as error:
            self.end(ZygoteEndedError(Why.BROKEN, f"it broke the rules of the wire: {error}"))
            return False
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _hear(self, frame: Frame, descriptors: "array.array[int]") -> None:
        self._conversation.receive(frame)
        if len(descriptors) != (frame.kind == "spawned"):
            raise ProtocolError(f"a frame {frame.kind} has {len(descriptors)} descriptors")
        match frame.kind:
            case "started":
                self._timer.cancel()
                self.started.set_result(None)
                self.refill()
            case "threaded":
                self.end(ZygoteEndedError(Why.THREADED, "importing the handler started threads"))
            case "import_failed":
                self.end(_import_failed(frame))
            case "launch_failed":
                self.end(
                    ZygoteEndedError(
                        Why.BROKEN,
                        f"it could not be confined: {frame.fields['step']}: {frame.fields['message']}",
                    )
                )
            case "spawned":
                self._oldest(frame).adopt(descriptors.pop(), self._process.pid)
            case "not_spawned":
                cell = self._oldest(frame)
                del self._cells[cell.serial]
                cell.abandon(frame.fields["message"])
            case _:
                self._on_exited(frame)

    def _oldest(self, frame: Frame) -> Cell:
        if not self._ordered or self._ordered[0].serial != frame.fields["serial"]:
            raise ProtocolError("an answer to an order that was not made")
        return self._ordered.popleft()

    def _on_exited(self, frame: Frame) -> None:
        cell = self._cells.pop(frame.fields["serial"], None)
        if cell is None or cell in self._ordered:
            raise ProtocolError("word of a cell that was not made")
        if len(self._cells) > _UNREAPED:
            raise ProtocolError("it does not wait for its cells")
        cell.exited(frame.fields["exit"], frame.fields["signal"])

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────

    def end(self, why: ZygoteEndedError) -> None:
        """Kills the zygote and everything it started; `gone` is done when the process has been waited for."""
        if self._end:
            return
        self._end = why
        self._timer.cancel()
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._kill()
        if not self.started.done():
            self.started.set_exception(why)
            self.started.exception()  # seen: it is nobody's fault if nobody waits
        for line in self._waiting:
            if not line.done():
                line.set_exception(why)
        self._waiting.clear()
        for cell in (*self._making, *self._idle):
            cell.abandon()
        self._owner.ended(self, why)

    def abandon_calls(self) -> None:
        """Ends the calls that still run in its cells."""
        for cell in tuple(self._lent):
            cell.abandon()

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()  # it does not lead a group yet

    def _on_late(self) -> None:
        reason = f"importing the handler took longer than {START_SECONDS:g} s"
        self.end(ZygoteEndedError(Why.IMPORT, reason))

    def _on_death(self) -> None:
        self._loop.remove_reader(self._pidfd)
        while not self._end and self._on_control():
            pass  # its last words may still be in the socket, behind the news of its death
        if not self._end:
            why = Why.RETIRED if self._has_lent else Why.BROKEN if self.started.done() else Why.IMPORT
            self.end(ZygoteEndedError(why, f"its process ended: {_how_it_ended(self._process.pid)}"))
        self._kill()
        os.close(self._pidfd)
        self._process.wait()
        self.gone.set_result(None)


def _start(control: socket.socket) -> subprocess.Popen[bytes]:
    interpreter = getattr(sys, "_base_executable", None) or sys.executable
    return subprocess.Popen(
        [interpreter, "-I", "-S", "-B", "-X", "utf8", str(LAUNCHER), str(control.fileno())],
        env={},
        cwd="/",
        pass_fds=(control.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _how_it_ended(process: int) -> str:
    """Looks at a dead child without waiting for it, so that its number stays taken."""
    result = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if result is None:
        return "unknown"
    if result.si_code == os.CLD_EXITED:
        return f"exit {result.si_status}"
    return f"signal {signal.Signals(result.si_status).name}"


def _one_frame(message: bytes) -> Frame:
    decoder = Decoder(_MESSAGE_BYTES)
    found = list(decoder.feed(message))
    if len(found) != 1 or decoder.has_part:
        raise ProtocolError("a message is not exactly one frame")
    return found[0]


def _import_failed(frame: Frame) -> ZygoteEndedError:
    fields = frame.fields
    return ZygoteEndedError(Why.IMPORT, f"{fields['type']}: {fields['message']}", fields["stack"])
