"""The order of stages is checked once, at start, and is the one the design gives."""

from typing import ClassVar

import pytest

from toolcell.model.call import Call, Outcome
from toolcell.pipeline.chain import DisorderError, Proceed, chain, facts


class Gives:
    needs: ClassVar[frozenset[str]] = facts("authorization")
    gives: ClassVar[frozenset[str]] = facts("caller")

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        outcome = await proceed(call)
        return Outcome(f"[{outcome.output_json}]")


class Needs:
    needs: ClassVar[frozenset[str]] = facts("caller")
    gives: ClassVar[frozenset[str]] = facts()

    async def __call__(self, call: Call, proceed: Proceed) -> Outcome:
        return Outcome("end")


def a_call() -> Call:
    return Call(authorization="", traceparent="", deadline=None, read=lambda: pytest.fail("never read"))


async def test_outcome_walks_back_up() -> None:
    assert (await chain(Gives(), Needs())(a_call())).output_json == "[end]"


def test_a_fact_needed_too_early_is_found_at_start() -> None:
    with pytest.raises(DisorderError, match="Needs needs"):
        chain(Needs(), Gives())


def test_a_fact_read_too_early_raises() -> None:
    with pytest.raises(AttributeError):
        _ = a_call().tool
