"""One cell as the server holds it: its descriptors, its conversation, its one call."""

import asyncio
import dataclasses
import os
import signal
import socket
from collections.abc import Callable
from typing import Final

from toolcell.cells.ending import Ending, How
from toolcell.cells.output import Output
from toolcell.cells.process import Process
from toolcell.cells.relay import Relay
from toolcell.model.span import Usage
from toolcell.wire.conversation import CELL, Conversation, State
from toolcell.wire.frames import Decoder, Frame, ProtocolError

TERM_GRACE_SECONDS: Final = 2.0
"""Between SIGTERM and SIGKILL, for a call nobody waits for any more, and for one that is stopped."""

_FRAME_ROOM: Final = 256 * 1024  # beyond the output limit: room for a failure, its stack all escapes
_READ_BYTES: Final = 64 * 1024
_SAID_LIMIT: Final = 2000  # log and progress frames; the runtime itself stops at 1,000
_SEND: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_RECEIVE: Final = int(socket.MSG_DONTWAIT)
_HINT_SECONDS: Final = 0.5


class CellLostError(Exception):
    """The cell was gone before it got the call: nothing was run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Keeper:
    """Whom a cell tells.

    It can be lent; it still cannot; it ended unlent, with a frame or with words; it is released.
    """

    ready: "Callable[[Cell], None]"
    late: "Callable[[Cell], None]"
    lost: "Callable[[Frame | str], None]"
    released: "Callable[[Cell], None]"


class Cell:
    """A confined process that waits for one call. The server made every descriptor it uses of it.

    Since a hostile zygote may hold a copy of the other ends only, it cannot make a read or a write here
    block. `start_seconds` is how long it may take to become ready before its keeper is told.
    """

    def __init__(self, serial: int, output_limit: int, start_seconds: float, keeper: Keeper) -> None:
        self.serial = serial
        self._loop = asyncio.get_running_loop()
        self._keeper = keeper
        self._conversation = Conversation(CELL)
        self._decoder = Decoder(output_limit + _FRAME_ROOM)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._output = Output()
        except OSError:
            self._channel.close()
            theirs.close()
            raise
        self.given = [theirs.detach(), *self._output.given]
        self._process: Process | None = None
        self._usage_at_end: Usage | None = None
        self._relay: Relay | None = None
        self._answer: asyncio.Future[Ending] | None = None
        self._ending: Ending | None = None
        self._last: Frame | None = None
        self._unsent = b""
        self._said = 0
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(start_seconds, keeper.late, self)
        self._hint: Ending | None = None
        self._is_dying = self._is_stopped = self._is_released = self._is_unread = False
        self._loop.add_reader(self._channel.fileno(), self._on_channel)

    # ── before the call ─────────────────────────────────────────────────────────────────────────────────────

    def give_away(self) -> None:
        """Closes the other ends, once the zygote has them."""
        for descriptor in self.given:
            os.close(descriptor)
        self.given = []

    def adopt(self, process: Process) -> None:
        """Takes the process, which the zygote says it made for this cell."""
        self._process = process
        self._output.listen()
        self._announce()

    def _announce(self) -> None:
        if self._process and self._conversation.state is State.READY:
            if self._timer:
                self._timer.cancel()
            self._keeper.ready(self)

    # ── the call ────────────────────────────────────────────────────────────────────────────────────────────

    async def call(self, frame: bytes, relay: Relay, seconds: float) -> Ending:
        """Sends the call and returns how it ended, `seconds` from now at the latest; the process dies then.

        Raises CellLostError when the call did not reach the process. Cancelling leaves it SIGTERM and 2 s.
        """
        if self._ending:
            raise CellLostError
        self._conversation.send("call")
        self._relay = relay
        self._output.pass_to(relay)
        self._answer = self._loop.create_future()
        self._timer = self._loop.call_later(seconds, self._expire, seconds)
        self._unsent = frame
        self._is_unread = not self._send()
        if self._is_unread:
            self._bury()
        try:
            ending = await self._answer
        except asyncio.CancelledError:
            self._relay = None
            self._output.pass_to(None)
            self._dismiss()
            raise
        if self._is_unread and ending.how is How.DIED and not self._is_stopped:
            raise CellLostError
        return ending.of_stopped() if self._is_stopped else ending

    def stop(self) -> None:
        """Ends the call with SIGTERM, and 2 s later with SIGKILL; `call` returns what comes first."""
        if not self._is_stopped:
            self._is_stopped = True
            self._dismiss()

    def abandon(self, why: str = "") -> None:
        """Ends the cell at once, whatever it does."""
        if not self._ending:
            self._signal(signal.SIGKILL)  # before anybody hears that it is dead
        self._end(Ending(How.ABANDONED, detail=why))

    def exited(self, hint: Ending) -> None:
        """Takes the zygote's word on how the process ended."""
        self._hint = hint
        if self._is_dying:
            self._bury()

    def _send(self) -> bool:
        try:
            sent = self._channel.send(self._unsent, _SEND)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._channel.fileno(), self._send_more)
        return True

    def _send_more(self) -> None:
        self._loop.remove_writer(self._channel.fileno())
        self._send()  # a broken channel ends by itself: its reader sees that

    def _expire(self, seconds: float) -> None:
        self._end(Ending(How.EXPIRED, detail=f"{seconds:.3g}"))

    def _dismiss(self) -> None:
        if self._is_released or self._ending:
            return
        self._signal(signal.SIGTERM)
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(TERM_GRACE_SECONDS, self.abandon)

    # ── what the cell says ──────────────────────────────────────────────────────────────────────────────────

    def _on_channel(self) -> None:
        if self._ending:
            return
        try:
            data = self._channel.recv(_READ_BYTES, _RECEIVE)
        except BlockingIOError:
            return
        except (
            ConnectionResetError
        ):  # it closed its end with the call, or some of it, unread: nothing was run
            data, self._is_unread = b"", bool(self._answer) and not self._said
        except OSError:
            data = b""
        if not data:
            self._on_end_of_channel()
            return
        try:
            for frame in self._decoder.feed(data):
                self._conversation.receive(frame)
                self._hear(frame)
            if self._last and self._decoder.has_part:
                raise ProtocolError("bytes follow the last frame")
        except ProtocolError as error:
            self._end(Ending(How.LIED, detail=str(error)))
            return
        if self._last:
            self._end(Ending(How.ANSWERED, frame=self._last))

    def _hear(self, frame: Frame) -> None:
        match frame.kind:
            case "ready":
                self._announce()
            case "log" | "progress":
                self._said += 1
                if self._said > _SAID_LIMIT:
                    raise ProtocolError(f"more than {_SAID_LIMIT} log and progress frames")
                if self._relay:
                    self._relay.said(frame)
            case _:
                self._last = frame

    def _on_end_of_channel(self) -> None:
        """Kills the process, which died or closed its channel to linger; the zygote may say which it was."""
        self._loop.remove_reader(self._channel.fileno())
        self._usage_at_end = self._usage()
        self._signal(signal.SIGKILL)
        self._is_dying = True
        if self._hint or not self._answer:
            self._bury()
        else:
            self._loop.call_later(_HINT_SECONDS, self._bury)

    def _bury(self) -> None:
        hint = self._hint or Ending(How.DIED)
        self._end(dataclasses.replace(hint, usage=self._usage_at_end or hint.usage))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self, ending: Ending) -> None:
        if self._ending:
            return
        self._ending = ending
        if self._timer:
            self._timer.cancel()
        if ending.how is not How.DIED:
            ending = dataclasses.replace(ending, usage=self._usage() or Usage())
        if not self._answer:
            self._keeper.lost(self._last or f"{ending.words}: {self._output.last_words()}")
        elif not self._answer.done():
            self._output.drain()
            self._answer.set_result(ending)
        # The caller's task was scheduled first: killing, closing and refilling wait until it had its turn.
        self._loop.call_soon(self._release)

    def _release(self) -> None:
        if self._is_released:
            return
        self._is_released = True
        self._signal(signal.SIGKILL)
        channel = self._channel.fileno()
        self._loop.remove_reader(channel)
        self._loop.remove_writer(channel)
        self._channel.close()
        self._output.close()
        self.give_away()
        if self._process:
            self._process.close()
        self._keeper.released(self)

    def _signal(self, number: int) -> None:
        if self._process:  # else it goes with its zygote
            self._process.signal(number)

    def _usage(self) -> Usage | None:
        return self._process.usage() if self._process else None
