"""A call walks down an ordered tuple of stages and its outcome walks back up.

The order is checked once, at start.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from toolcell.model.call import Call, Outcome

Proceed = Callable[[Call], Awaitable[Outcome]]


class Stage(Protocol):
    """One concern: does its part, calls `proceed` at most once, and may do a second part with the outcome.

    `needs` and `gives` name facts of `Call`; a fact must be given by an earlier stage (or by the door) before
    it is needed.
    """

    needs: ClassVar[frozenset[str]]
    gives: ClassVar[frozenset[str]]

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        """Handles the call."""
        ...


class DisorderError(Exception):
    """A stage needs a fact that no earlier stage gives."""


def facts(*names: str) -> frozenset[str]:
    """Returns names of facts as a set."""
    return frozenset(names)


DOOR = facts("authorization", "traceparent", "deadline", "read")
"""What every door fills in before the first stage."""


def chain(*stages: Stage, given: frozenset[str] = DOOR) -> Proceed:
    """Binds stages into one function; the last must answer by itself.

    `given` are the facts that are there before the first stage. Raises DisorderError when a stage needs what
    no earlier stage gives.
    """
    known = given
    for stage in stages:
        if missing := stage.needs - known:
            raise DisorderError(
                f"{type(stage).__name__} needs {sorted(missing)}, which no earlier stage gives"
            )
        known |= stage.gives
    proceed: Proceed = _end
    for stage in reversed(stages):
        proceed = _bind(stage, proceed)
    return proceed


def _bind(stage: Stage, proceed: Proceed) -> Proceed:
    def step(call: Call) -> Awaitable[Outcome]:
        return stage(call, proceed)

    return step


async def _end(call: Call) -> Outcome:
    raise DisorderError(f"the last stage did not answer {call.record.invocation_id}")
