"""How often and how many at once.

The rate of a caller and a tool, and a tool's slots with their bounded line.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from toolcell.model.call import Call, Outcome
from toolcell.model.clock import Clock
from toolcell.model.errors import ConcurrencyLimited, QueueFull, RateLimited
from toolcell.model.span import Invocation, State
from toolcell.model.tool import Tool
from toolcell.pipeline.chain import Proceed, facts

_KEYS_KEPT = 10_000
_QUEUE_TIMEOUT = 10.0
_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 30.0


class Bucket:
    """A token bucket a key, as GCRA: one number a key says when its next call conforms."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def wait(self, key: str, rate: float, burst: int, now: float) -> float:
        """Returns the seconds until a call of this key conforms; 0 when it does."""
        ahead = self._next.get(key, now) - now
        return max(0.0, ahead - (burst - 1) / rate)

    def take(self, key: str, rate: float, now: float) -> None:
        """Counts a call. Keys that are idle are forgotten when there are more than 10,000."""
        self._next[key] = max(self._next.get(key, now), now) + 1 / rate
        if len(self._next) > _KEYS_KEPT:
            self._next = {kept: time for kept, time in self._next.items() if time > now}


class Rate:
    """Stage: refuses calls over the rate, before their arguments are looked at."""

    needs: ClassVar[frozenset[str]] = facts("caller", "tool")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bucket = Bucket()

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Takes one from the caller's bucket and one from the tool's, or from neither."""
        tool, now, bucket = call.tool, self._clock.monotonic(), self._bucket
        rate = tool.policy.rate
        buckets = (
            ("caller", f"{tool.name} {call.caller.name}", rate.per_caller),
            ("tool", tool.name, rate.per_tool),
        )
        for scope, key, limit in buckets:
            if wait := bucket.wait(key, limit, rate.burst, now):
                raise _rate_limited(tool, scope, limit, max(wait, _SHORTEST_WAIT))
        for _, key, limit in buckets:
            bucket.take(key, limit, now)
        return await proceed(call)


def _rate_limited(tool: Tool, scope: str, limit: float, wait: float) -> RateLimited:
    return RateLimited(
        f"The {scope}'s rate for {tool.name!r} is {limit:g} calls a second. Wait {wait:.1f} s, "
        f"then call again. `[rate] per_{scope}` in its cell.toml sets it.",
        tool=tool.name,
        scope=scope,
        limit=f"{limit:g}",
        retry_after=wait,
    )


@dataclass(slots=True)
class _Line:
    """A tool's slots: how many run, who waits, and how long a call takes on average (seconds)."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    typical: float = 0.1


class Slots:
    """Every tool's slots, for calls and attempts of jobs alike; who waits is served in order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    def take(self, tool: Tool) -> bool:
        """Takes a slot if one is free and nobody waits; tells whether it did."""
        line = self._line(tool)
        if not self._is_free(tool, line):
            return False
        line.running += 1
        return True

    def is_free(self, tool: Tool) -> bool:
        """Tells whether `take` would succeed."""
        return self._is_free(tool, self._line(tool))

    async def wait(self, tool: Tool) -> None:
        """Takes a slot, at once or when it is this one's turn; cancelling leaves the line."""
        if self.take(tool):
            return
        line = self._line(tool)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                line.waiting.remove(turn)
            else:  # the slot was handed over in the moment of leaving
                self._release(tool, line)
            raise

    async def queue(self, tool: Tool, deadline: float | None) -> None:
        """As `wait`, for a caller who will not wait for long: at most 10 s and never past the deadline.

        Raises QueueFull when the tool's line is at its bound, and ConcurrencyLimited when time is up.
        """
        pool, now, line = tool.policy.pool, self._clock.monotonic(), self._line(tool)
        if len(line.waiting) >= pool.queue:
            raise _busy(QueueFull, tool, line, f"{pool.queue} calls wait already", pool.queue)
        patience = _QUEUE_TIMEOUT if deadline is None else min(_QUEUE_TIMEOUT, deadline - now)
        try:
            async with asyncio.timeout(patience):
                await self.wait(tool)
        except TimeoutError:
            raise _busy(ConcurrencyLimited, tool, line, "no slot came free in time", pool.max) from None

    def release(self, tool: Tool, seconds: float | None = None) -> None:
        """Gives a slot back that was held for so long; None: nothing ran."""
        line = self._line(tool)
        if seconds is not None:
            line.typical += 0.2 * (seconds - line.typical)
        self._release(tool, line)

    def pace(self, tool: Tool) -> float:
        """Returns how many seconds lie between the ends of two calls, lately and when every slot is taken."""
        return self._line(tool).typical / tool.policy.pool.max

    def _line(self, tool: Tool) -> _Line:
        return self._lines.setdefault(tool.name, _Line())

    def _is_free(self, tool: Tool, line: _Line) -> bool:
        return line.running < tool.policy.pool.max and not line.waiting

    def _release(self, tool: Tool, line: _Line) -> None:
        """Hands the slot to the next in line, or frees it. A changed maximum is honoured as calls leave."""
        line.running -= 1
        for turn in list(line.waiting):
            if line.running >= tool.policy.pool.max:
                break
            if not turn.cancelled():
                line.waiting.remove(turn)
                line.running += 1
                turn.set_result(None)


class Slot:
    """Stage: holds one of the tool's slots while the cell runs, and waits for it in a bounded line."""

    needs: ClassVar[frozenset[str]] = facts("tool", "deadline", "record")
    gives: ClassVar[frozenset[str]] = facts()

    def __init__(self, slots: Slots, clock: Clock, started: Callable[[Invocation, bool], None]) -> None:
        self._slots = slots
        self._clock = clock
        self._started = started

    def is_free(self, tool: Tool) -> bool:
        """Tells whether a call of the tool would run at once."""
        return self._slots.is_free(tool)

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Takes a slot, waiting for one if need be, and gives it back."""
        tool = call.tool
        has_waited = not self._slots.take(tool)
        if has_waited:
            await self._slots.queue(tool, call.deadline)
        begun = self._clock.monotonic()
        try:
            if has_waited:
                call.record.state = State.RUNNING
                self._started(call.record, tool.idempotency.is_retry_safe)
            return await proceed(call)
        finally:
            self._slots.release(tool, self._clock.monotonic() - begun)


def _busy(
    kind: type[QueueFull | ConcurrencyLimited], tool: Tool, line: _Line, what: str, limit: int
) -> QueueFull | ConcurrencyLimited:
    """Words a refusal; the wait is what the line ahead takes at the tool's recent pace."""
    pace = line.typical * (len(line.waiting) + 1) / tool.policy.pool.max
    wait = min(_LONGEST_WAIT, max(_SHORTEST_WAIT, pace))
    return kind(
        f"{tool.name!r} is busy: {what}. Wait {wait:.1f} s, then call again. "
        "`[pool] max` and `queue` in its cell.toml bound it.",
        tool=tool.name,
        limit=limit,
        retry_after=wait,
    )
