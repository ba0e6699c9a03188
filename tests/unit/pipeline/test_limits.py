"""Rates are exact, slots are bounded, the line is fair, and nobody leaks a slot."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcell.model.call import Call, Outcome, Question
from toolcell.model.caller import Caller, Grants
from toolcell.model.clock import SystemClock
from toolcell.model.errors import ConcurrencyLimited, QueueFull, RateLimited
from toolcell.model.span import Invocation, State
from toolcell.model.tool import Idempotency, Policy, Pool, Tool
from toolcell.model.tool import Rate as Limit
from toolcell.pipeline.limits import Bucket, Rate, Slot, Slots

TOOL = Tool(
    name="echo",
    title="",
    description="",
    path="/t.T/Echo",
    idempotency=Idempotency.UNSET,
    timeout_seconds=5,
    output_limit_bytes=1000,
    directory=Path(),
    policy=Policy(pool=Pool(max=2, queue=2), rate=Limit(per_caller=1, per_tool=2, burst=3)),
    revision="r",
)


class Frozen(SystemClock):
    now = 100.0

    def monotonic(self) -> float:
        return self.now


def a_call(caller: str = "ada", deadline: float | None = None, tool: Tool = TOOL) -> Call:
    call = Call(authorization="", traceparent="", deadline=deadline, read=lambda: Question("echo"))
    call.tool, call.caller = tool, Caller(caller, "t", Grants())
    call.record = Invocation("inv", "t", "s")
    return call


async def done(call: Call) -> Outcome:
    return Outcome("{}")


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 10), st.floats(0.5, 20))
def test_bucket_never_lets_more_through_than_burst_plus_rate(
    gaps: list[float], burst: int, rate: float
) -> None:
    bucket, now, taken = Bucket(), 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.wait("k", rate, burst, now)
        if not wait:
            bucket.take("k", rate, now)
            taken += 1
        else:
            assert bucket.wait("k", rate, burst, now + wait + 1e-6) == 0
    assert taken <= burst + now * rate + 1e-6


async def test_caller_then_tool_is_limited_and_says_when_to_come_back() -> None:
    clock = Frozen()
    rate = Rate(clock)
    for _ in range(3):
        await rate(a_call(), done)
    with pytest.raises(RateLimited) as refused:
        await rate(a_call(), done)
    assert refused.value.metadata["scope"] == "caller"
    assert refused.value.retry_after == pytest.approx(1.0)
    clock.now += 0.6
    await rate(a_call("bob"), done)
    clock.now += 0.41
    await rate(a_call(), done)


async def test_refused_calls_take_nothing() -> None:
    clock = Frozen()
    rate = Rate(clock)
    for _ in range(3):
        await rate(a_call(), done)
    for _ in range(50):
        with pytest.raises(RateLimited):
            await rate(a_call(), done)
    clock.now += 1.001
    await rate(a_call(), done)


class Gateway:
    """A `proceed` that holds every call until it is let go."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.order: list[str] = []
        self.arrived = asyncio.Condition()
        self.leave = asyncio.Event()

    async def __call__(self, call: Call) -> Outcome:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(call.caller.name)
        async with self.arrived:
            self.arrived.notify_all()
        await self.leave.wait()
        self.inside -= 1
        return Outcome("{}")

    async def holds(self, count: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.inside >= count)


def a_slot(marks: list[State] | None = None) -> Slot:
    def seen(record: Invocation, _: bool) -> None:
        if marks is not None:
            marks.append(record.state)

    clock = SystemClock()
    return Slot(Slots(clock), clock, seen)


async def test_line_is_bounded_fair_and_emptied() -> None:
    marks: list[State] = []
    slot, gateway = a_slot(marks), Gateway()
    calls = [asyncio.ensure_future(slot(a_call(name), gateway)) for name in "abcd"]
    await gateway.holds(2)
    assert not slot.is_free(TOOL)
    with pytest.raises(QueueFull) as refused:
        await slot(a_call("e"), gateway)
    assert refused.value.retry_after
    gateway.leave.set()
    await asyncio.gather(*calls)
    assert (gateway.most, gateway.order, slot.is_free(TOOL)) == (2, list("abcd"), True)
    assert marks == [State.RUNNING] * 2


async def test_deadline_in_the_line_is_a_refusal_and_leaks_nothing() -> None:
    slot, gateway = a_slot(), Gateway()
    calls = [asyncio.ensure_future(slot(a_call(), gateway)) for _ in range(2)]
    await gateway.holds(2)
    with pytest.raises(ConcurrencyLimited):
        await slot(a_call(deadline=SystemClock().monotonic() + 0.01), gateway)
    gateway.leave.set()
    await asyncio.gather(*calls)
    await asyncio.gather(slot(a_call(), gateway), slot(a_call(), gateway))
    assert gateway.most == 2


async def test_cancelled_while_waiting_and_while_being_served() -> None:
    slot, gateway = a_slot(), Gateway()
    first = [asyncio.ensure_future(slot(a_call(), gateway)) for _ in range(2)]
    await gateway.holds(2)
    waiting = [asyncio.ensure_future(slot(a_call(name), gateway)) for name in "xy"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    first[0].cancel()
    await asyncio.gather(waiting[0], first[0], return_exceptions=True)
    gateway.leave.set()
    await asyncio.gather(first[1], waiting[1])
    assert slot.is_free(TOOL)
    solo = replace(TOOL, policy=replace(TOOL.policy, pool=Pool(max=1, queue=0)))
    await slot(a_call(tool=solo), done)
