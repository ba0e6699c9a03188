"""Whatever happens in whatever order, servers dying at any moment: a job keeps what model/job promises.

The checker walks through every state that the rules allow: one row, servers that live, die and start again
(also one that was only believed to be dead, and goes on), a caller that cancels at any time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from toolcell.model import job as states
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.job import MOST_ATTEMPTS, Fence, Job
from toolcell.model.span import State

FAILED = Failure(Reason.TOOL_ERROR, "no", executed=Executed.YES)
LIVES = ("a", "b", "c")


@dataclass(frozen=True)
class World:
    """The row; attempts that go on, by their fence, and whether each has taken effect; all effects."""

    row: Job
    alive: tuple[tuple[Fence, bool], ...] = ()
    effects: tuple[Fence, ...] = ()
    life: int = 0


@dataclass(frozen=True)
class Rules:
    """What may be broken on purpose, to see that the checker notices."""

    is_fenced: bool = True
    lose: Callable[[Job, Fence, int], Job | None] = states.lose
    starts_before_it_is_written: bool = False


def begin(*, is_safe: bool) -> World:
    return World(Job("job_1", "t", "ada", "tok", "tr", 1, "{}", retry_safe=is_safe, revision="r"))


def steps(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Yields everything that can happen next."""
    row, owner = world.row, LIVES[world.life]
    started = states.start(row, owner, "inv", 2)
    if started is not None and row.attempt < MOST_ATTEMPTS:
        if rules.starts_before_it_is_written:
            yield "start", replace(world, alive=(*world.alive, (started.fence, False)))
        yield "start", replace(world, row=started, alive=(*world.alive, (started.fence, False)))
    if (cancelled := states.cancel(row, 3)) is not None:
        yield "cancel", replace(world, row=cancelled)
    for index, (fence, has_run) in enumerate(world.alive):
        others = (*world.alive[:index], *world.alive[index + 1 :])
        by = fence if rules.is_fenced else row.fence
        if not has_run:
            ran = (*world.alive[:index], (fence, True), *world.alive[index + 1 :])
            yield "effect", replace(world, alive=ran, effects=(*world.effects, fence))
            yield "refused", replace(world, row=states.give_back(row, by, FAILED, 4) or row, alive=others)
        else:
            yield "output", replace(world, row=states.succeed(row, by, "{}", 4) or row, alive=others)
            yield "failure", replace(world, row=states.fail(row, by, FAILED, 4) or row, alive=others)
        yield "stopped", replace(world, row=rules.lose(row, by, 4) or row, alive=others)
    if world.life + 1 < len(LIVES):
        recovered = rules.lose(row, row.fence, 5) if row.state is State.RUNNING else None
        yield "killed", World(recovered or row, (), world.effects, world.life + 1)
        yield "believed dead", World(recovered or row, world.alive, world.effects, world.life + 1)


def complaint(before: World, after: World) -> str:
    """Says what a step broke; "" for nothing."""
    row, ended_now = after.row, before.row != after.row
    broken = {
        "a job that ended changed": before.row.has_ended and ended_now,
        "a tool that may not be run twice took effect twice": not row.retry_safe and len(after.effects) > 1,
        "an attempt took effect twice": len(set(after.effects)) != len(after.effects),
        "an attempt succeeded that has not run": row.state is State.SUCCEEDED
        and ended_now
        and before.row.fence not in after.effects,
        "too many attempts": row.attempt > MOST_ATTEMPTS,
        "a job to be cancelled is in line": row.state is State.PENDING and row.cancel_request_time > 0,
        "a job was cancelled that nobody cancelled": row.state is State.CANCELLED
        and not row.cancel_request_time,
        "a job runs without an owner, or the reverse": (row.state is State.RUNNING) != bool(row.owner),
    }
    return next((words for words, is_so in broken.items() if is_so), "")


def identity(world: World) -> tuple[object, ...]:
    """Returns what tells one world from another."""
    row = world.row
    end = (row.output_json, row.failure and row.failure.reason)
    steering = (row.retry_safe, *(getattr(row, name) for name in states.STEERING))
    return (*steering, *end, world.alive, world.effects, world.life)


def explore(rules: Rules) -> tuple[int, set[State], str]:
    """Walks through every world there can be; returns how many, how jobs ended, and the first complaint."""
    seen: set[tuple[object, ...]] = set()
    ends: set[State] = set()
    waiting = deque(begin(is_safe=is_safe) for is_safe in (True, False))
    while waiting:
        world = waiting.popleft()
        if identity(world) in seen:
            continue
        seen.add(identity(world))
        if world.row.has_ended:
            ends.add(world.row.state)
        for name, after in steps(world, rules):
            if wrong := complaint(world, after):
                return len(seen), ends, f"{name}: {wrong}"
            waiting.append(after)
        assert world.row.has_ended or world.alive or any(True for _ in steps(world, rules)), "a job is stuck"
    return len(seen), ends, ""


def test_every_interleaving_keeps_the_promises() -> None:
    count, ends, wrong = explore(Rules())
    assert wrong == ""
    assert count > 1000
    assert ends == {State.SUCCEEDED, State.FAILED, State.CANCELLED}


def always_again(job: Job, by: Fence, time: int) -> Job | None:
    """Requeues whatever was lost, as queues do that know nothing of tools."""
    return states.requeue(job, by, has_run=False) or states.lose(job, by, time)


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        (Rules(is_fenced=False), "not run"),
        (Rules(lose=always_again), "twice"),
        (Rules(starts_before_it_is_written=True), "twice"),
    ],
)
def test_a_rule_that_is_broken_is_noticed(rules: Rules, wrong: str) -> None:
    assert wrong in explore(rules)[2]
