"""Cells to lend: starts zygotes when they are needed, keeps few of them, runs calls."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolcell.cells.cell import Cell, CellLostError
from toolcell.cells.demise import Why, ZygoteEndedError
from toolcell.cells.ending import Ending
from toolcell.cells.faults import judge
from toolcell.cells.refusals import no_process, still_starting, told, unavailable
from toolcell.cells.relay import Emit, Relay
from toolcell.cells.setup import setup
from toolcell.cells.zygote import Owner, Zygote
from toolcell.model.clock import Clock
from toolcell.model.errors import HandlerFault, ServerDraining, ServerOverloaded, ToolUnavailable
from toolcell.model.span import Usage
from toolcell.model.tool import Tool, Unavailable
from toolcell.wire.frames import encode

_BACKOFF_SECONDS: Final = 1.0
_BACKOFF_CEILING: Final = 30.0
_RETRY_SECONDS: Final = 1.0
_CELLS_A_CALL: Final = 3

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """What one call gives its handler; `arguments_json` is canonical ProtoJSON, never parsed on its way."""

    invocation_id: str
    tool_call_id: str
    attempt: int
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The handler's JSON value or its fault; `start_time` is microseconds since the epoch.

    `size` is how many bytes the value's frame took, 0 where there is only a fault.
    """

    value: object
    fault: HandlerFault | None
    usage: Usage
    start_time: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Broken:
    """A revision that does not start: why, how often in a row, and until when nobody tries (monotonic)."""

    error: ZygoteEndedError
    times: int
    until: float


class Cells:
    """Every zygote of a server. All methods are for the loop's thread.

    `level` is the isolation level in force; `landlock_abi` lowers the Landlock ABI to confine with, never
    raises it, so that tests can stand for older kernels.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        level: int,
        max_zygotes: int = 32,
        idle_seconds: float = 300.0,
        landlock_abi: int | None = None,
    ) -> None:
        self.level = level
        self._clock = clock
        self._max_zygotes = max_zygotes
        self._idle_seconds = idle_seconds
        self._landlock_abi = landlock_abi
        self._zygotes: OrderedDict[_Key, Zygote] = OrderedDict()
        self._leaving: set[Zygote] = set()
        self._broken: dict[_Key, _Broken] = {}
        self._threaded: set[_Key] = set()
        self._served: frozenset[str] | None = None
        self._running: dict[str, Cell] = {}
        self._is_closed = False

    async def prepare(self, tool: Tool) -> None:
        """Starts a tool's zygote and waits for its first ready cell.

        Raises ToolUnavailable when the handler does not import or the policy asks for what cannot be,
        ServerOverloaded when every zygote there may be is busy.
        """
        zygote = await self._started(tool, None)
        try:
            await zygote.fill()
        except ZygoteEndedError as error:
            raise unavailable(tool, error) from error
        except OSError as error:
            raise no_process(tool, error) from error
        self._broken.pop((tool.name, tool.revision), None)

    async def fault_of(self, tool: Tool) -> Unavailable | None:
        """Prepares a tool and returns what keeps it from running; None if nothing does, or nobody can say."""
        try:
            await self.prepare(tool)
        except (ServerOverloaded, ServerDraining):
            return None
        except ToolUnavailable as refusal:
            return told(tool, refusal)
        return None

    def is_warm(self, name: str) -> bool:
        """Tells whether a zygote of a tool is there, at whatever revision."""
        return any(tool == name for tool, _ in self._zygotes)

    def directories(self) -> set[Path]:
        """Returns the handlers' directories that a living zygote, or a call in one of its cells, may read."""
        return {zygote.tool.directory for zygote in (*self._zygotes.values(), *self._leaving)}

    async def run(self, tool: Tool, request: Request, deadline: float, emit: Emit) -> Reply:
        """Runs one call in a fresh cell, until `deadline` (monotonic seconds) at the latest.

        What the handler says meanwhile goes to `emit`; what it did wrong is the reply's fault. Raises only
        when nothing was run: ToolUnavailable, ServerDraining, or ServerOverloaded, also when no cell is ready
        by then. When the awaiting task is cancelled, the handler gets SIGTERM and 2 s, in the background.
        """
        relay = Relay(emit)
        for _ in range(_CELLS_A_CALL):
            cell = await self._lend(tool, deadline)
            seconds = max(0.0, deadline - self._clock.monotonic())
            frame = _call(request, seconds, tool.output_limit_bytes)
            start_time = self._clock.wall()
            self._running[request.invocation_id] = cell
            try:
                ending = await cell.call(frame, relay, seconds)
            except CellLostError:
                continue  # it was gone before it got anything: another one
            finally:
                self._running.pop(request.invocation_id, None)
            return _reply(tool, ending, relay, start_time)
        raise ServerOverloaded(
            f"Cells of {tool.name} are killed before they run.", retry_after=_RETRY_SECONDS
        )

    def stop(self, invocation_id: str) -> bool:
        """Ends a call that a cell has: SIGTERM, and 2 s later SIGKILL; returns False when no cell has it.

        Its `run` returns as ever: with an answer that came first, else with the fault CANCELLED once the
        process is dead.
        """
        cell = self._running.get(invocation_id)
        if cell is None:
            return False
        cell.stop()
        return True

    def retire(self, served: Collection[str]) -> None:
        """Takes the revisions still served; zygotes of others close, now or after their last call."""
        self._served = frozenset(served)
        self._broken = {key: why for key, why in self._broken.items() if key[1] in self._served}
        self._threaded = {key for key in self._threaded if key[1] in self._served}
        for zygote in tuple(self._zygotes.values()):
            self._on_idle(zygote)

    async def close(self) -> None:
        """Kills every process and waits for it; calls that still run end with the fault CANCELLED."""
        self._is_closed = True
        for zygote in tuple(self._zygotes.values()):
            zygote.abandon_calls()
            zygote.end(ZygoteEndedError(Why.RETIRED, "the server shuts down"))
        await asyncio.gather(*(zygote.gone for zygote in tuple(self._leaving)))

    # ── lending ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _lend(self, tool: Tool, deadline: float) -> Cell:
        while True:
            zygote = await self._started(tool, deadline)
            try:
                cell = await zygote.lend(deadline - self._clock.monotonic())
            except TimeoutError:
                raise self._late(tool) from None
            except ZygoteEndedError:
                continue  # the next look finds another zygote, or why there is none
            except OSError as error:
                raise no_process(tool, error) from error
            self._broken.pop((tool.name, tool.revision), None)
            return cell

    async def _started(self, tool: Tool, deadline: float | None) -> Zygote:
        key = (tool.name, tool.revision)
        while True:
            zygote = self._zygotes.get(key) or self._open(tool, key)
            self._zygotes.move_to_end(key)
            zygote.last_used = self._clock.monotonic()
            if zygote.started.done() and not zygote.started.exception():
                return zygote
            try:
                async with asyncio.timeout(None if deadline is None else deadline - self._clock.monotonic()):
                    await asyncio.shield(zygote.started)
            except TimeoutError:
                raise self._late(tool) from None
            except ZygoteEndedError as error:
                if error.why in (Why.THREADED, Why.RETIRED):
                    continue  # there is, or will be, another one
                raise unavailable(tool, error) from error

    def _open(self, tool: Tool, key: _Key) -> Zygote:
        if self._is_closed:
            raise ServerDraining
        if (broken := self._broken.get(key)) and self._clock.monotonic() < broken.until:
            raise unavailable(tool, broken.error) from broken.error
        self._make_room()
        preload = tool.policy.preload and key not in self._threaded
        fields = setup(tool, preload=preload, landlock_abi=self._landlock_abi)
        try:
            zygote = Zygote(tool, fields, Owner(self._on_ended, self._on_idle))
        except OSError as error:
            raise no_process(tool, error) from error
        self._zygotes[key] = zygote
        self._watch(zygote, self._idle_seconds)
        return zygote

    def _make_room(self) -> None:
        if len(self._zygotes) < self._max_zygotes:
            return
        oldest = next((zygote for zygote in self._zygotes.values() if not zygote.is_busy), None)
        if oldest is None:
            raise ServerOverloaded(
                f"All {self._max_zygotes} tools that may be warm at once are running calls.",
                retry_after=_RETRY_SECONDS,
            )
        oldest.end(ZygoteEndedError(Why.RETIRED, "another tool needed its place"))

    # ── what zygotes tell ───────────────────────────────────────────────────────────────────────────────────

    def _on_ended(self, zygote: Zygote, error: ZygoteEndedError) -> None:
        key = (zygote.tool.name, zygote.tool.revision)
        if self._zygotes.get(key) is zygote:
            del self._zygotes[key]
        self._leaving.add(zygote)
        zygote.gone.add_done_callback(lambda _: self._leaving.discard(zygote))
        if error.why is Why.THREADED:
            self._threaded.add(key)
        elif error.why is not Why.RETIRED:
            times = self._broken[key].times + 1 if key in self._broken else 1
            pause = min(_BACKOFF_SECONDS * 2 ** (times - 1), _BACKOFF_CEILING)
            self._broken[key] = _Broken(error, times, self._clock.monotonic() + pause)

    def _on_idle(self, zygote: Zygote) -> None:
        if self._served is not None and zygote.tool.revision not in self._served and not zygote.is_busy:
            zygote.end(ZygoteEndedError(Why.RETIRED, "its revision is not served any more"))

    def _watch(self, zygote: Zygote, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._look, zygote)

    def _look(self, zygote: Zygote) -> None:
        if zygote not in self._zygotes.values():
            return
        left = zygote.last_used + self._idle_seconds - self._clock.monotonic()
        if zygote.is_busy:
            left = self._idle_seconds
        if left > 0:
            self._watch(zygote, left)
        else:
            zygote.end(ZygoteEndedError(Why.RETIRED, "nobody called it"))

    def _late(self, tool: Tool) -> ToolUnavailable | ServerOverloaded:
        broken = self._broken.get((tool.name, tool.revision))
        return still_starting(tool, broken.error if broken else None)


def _call(request: Request, seconds: float, output_limit: int) -> bytes:
    fields = {
        "invocation_id": request.invocation_id,
        "tool_call_id": request.tool_call_id,
        "attempt": request.attempt,
        "deadline_seconds": seconds,
        "output_limit_bytes": output_limit,
    }
    return encode("call", fields, arguments=request.arguments_json)


def _reply(tool: Tool, ending: Ending, relay: Relay, start_time: int) -> Reply:
    fault = judge(tool, ending, relay)
    answer = ending.frame.fields if ending.frame else {}
    relay.end(answer.get("dropped", 0))
    if fault or ending.frame is None:
        return Reply(None, fault, ending.usage, start_time)
    return Reply(answer["value"], None, ending.usage, start_time, ending.frame.size)
