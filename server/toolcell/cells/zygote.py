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
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from toolcell.cells.cell import Cell, Keeper
from toolcell.cells.control import Control, Listener
from toolcell.cells.demise import Why, ZygoteEndedError, import_failed
from toolcell.cells.ending import Ending, How
from toolcell.cells.process import ForeignProcessError, Process
from toolcell.model.span import Usage
from toolcell.model.tool import Tool
from toolcell.wire.frames import Frame, ProtocolError

START_SECONDS: Final = 10.0
"""From the start of a process to the handler imported and, for a cell, `ready`: what takes longer hangs."""

_ORDERS_AT_ONCE: Final = 16
_LOST_IN_A_ROW: Final = 3
_UNREAPED: Final = 1024


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
        self._keeper = Keeper(self._on_ready, self._on_late_cell, self._on_lost, self._on_released)
        self._preloads: bool = setup["preload"]
        self.started: asyncio.Future[None] = self._loop.create_future()
        self._cells: dict[int, Cell] = {}  # spawned or ordered, not yet said to have exited
        self._ordered: deque[Cell] = deque()
        self._making: set[Cell] = set()
        self._idle: deque[Cell] = deque()
        self._lent: set[Cell] = set()
        self._waiting: deque[asyncio.Future[Cell]] = deque()
        self._serial = self._lost = 0
        self._has_lent = self._is_dying = False
        self._end: ZygoteEndedError | None = None
        self._control = Control(Listener(self._hear, self._on_broken, self._on_death))
        self._timer = self._loop.call_later(START_SECONDS, self._on_late)
        self._control.send("setup", setup)

    @property
    def gone(self) -> asyncio.Future[None]:
        """Is done when the zygote's process has been waited for."""
        return self._control.gone

    @property
    def is_busy(self) -> bool:
        """Tells whether a call runs in one of its cells or waits for one, or it only just starts."""
        return bool(self._lent or self._waiting) or not self.started.done()

    # ── lending ─────────────────────────────────────────────────────────────────────────────────────────────

    async def lend(self, seconds: float | None) -> Cell:
        """Returns a ready cell, for good; raises TimeoutError when none comes in time, ZygoteEndedError.

        Without a time it waits until there is a cell or the zygote ends, which START_SECONDS bounds.
        """
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

    async def _wait(self, line: asyncio.Future[Cell], seconds: float | None) -> Cell:
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
            self._idle.appendleft(await self.lend(None))
            self._lent.discard(self._idle[0])
        self.refill()

    def refill(self) -> None:
        """Orders cells until as many are ready or on their way as the policy wants and calls wait for."""
        wanted = self.tool.policy.pool.warm + len(self._waiting) - len(self._idle)
        while not (self._end or self._is_dying) and len(self._making) < min(wanted, _ORDERS_AT_ONCE):
            try:
                self._order()
            except (
                OSError
            ) as error:  # no descriptors left: those who wait hear of it, those who come try again
                self._refuse(error)
                return

    def _refuse(self, error: OSError) -> None:
        for line in self._waiting:
            if not line.done():
                line.set_exception(error)
        self._waiting.clear()

    def _order(self) -> None:
        self._serial += 1
        cell = Cell(self._serial, self.tool.output_limit_bytes, START_SECONDS, self._keeper)
        self._cells[cell.serial] = cell
        self._making.add(cell)
        self._ordered.append(cell)
        self._control.send("spawn", {"serial": cell.serial}, cell.given)
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

    def _on_late_cell(self, cell: Cell) -> None:
        """Ends a cell that does not become ready, and the zygote too where none of its cells ever did."""
        if self._has_lent or self._idle:
            cell.abandon(f"not ready after {START_SECONDS:g} s")
        elif self._preloads:
            self._on_broken(f"its cells are not ready after {START_SECONDS:g} s")
        else:
            self._on_late()

    def _on_lost(self, last: Frame | str) -> None:
        if isinstance(last, Frame):
            self.end(import_failed(last))
            return
        if self._control.is_ending:
            self._is_dying = True  # its cells die of that; the news of its own death is on its way
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

    def _hear(self, frame: Frame, descriptors: "array.array[int]") -> None:
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
                self.end(import_failed(frame))
            case "launch_failed":
                self.end(
                    ZygoteEndedError(
                        Why.BROKEN,
                        f"it could not be confined: {frame.fields['step']}: {frame.fields['message']}",
                    )
                )
            case "spawned":
                self._on_spawned(self._oldest(frame), descriptors)
            case "not_spawned":
                cell = self._oldest(frame)
                del self._cells[cell.serial]
                cell.abandon(frame.fields["message"])
            case _:
                self._on_exited(frame)

    def _on_spawned(self, cell: Cell, descriptors: "array.array[int]") -> None:
        try:
            process = Process(descriptors[0], self._control.process_id)
        except (ForeignProcessError, OSError) as error:
            if isinstance(error, ForeignProcessError) and not self._control.is_ending:
                raise ProtocolError(f"it sent {error}") from None
            cell.abandon(str(error))  # its parent may have died since, and then it is nobody's child
            return
        descriptors.pop()
        cell.adopt(process)

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
        told = frame.fields
        usage = Usage(told["cpu_microseconds"], told["memory_peak_bytes"])
        cell.exited(Ending(How.DIED, exit=told["exit"], signal=told["signal"], usage=usage))

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────

    def end(self, why: ZygoteEndedError) -> None:
        """Kills the zygote and everything it started; `gone` is done when the process has been waited for."""
        if self._end:
            return
        self._end = why
        self._timer.cancel()
        self._control.end()
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

    def _on_late(self) -> None:
        module = self.tool.policy.entry.partition(":")[0]
        reason = f"the import of {module} did not finish in {START_SECONDS:g} s (does it wait for something?)"
        self.end(ZygoteEndedError(Why.IMPORT, reason))

    def _on_broken(self, how: str) -> None:
        self.end(ZygoteEndedError(Why.BROKEN, how))

    def _on_death(self, how: str) -> None:
        why = Why.RETIRED if self._has_lent else Why.BROKEN if self.started.done() else Why.IMPORT
        self.end(ZygoteEndedError(why, f"its process ended: {how}"))
