"""Strangers are counted and told, at most once a minute."""

from collections.abc import Mapping

from toolcell.model.clock import SystemClock
from toolcell.model.errors import Reason
from toolcell.pipeline.strangers import Strangers


class Frozen(SystemClock):
    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_the_first_is_told_at_once_and_those_after_it_once_a_minute() -> None:
    clock, told = Frozen(), list[Mapping[Reason, int]]()
    strangers = Strangers(clock, told.append)
    strangers.count(Reason.TOKEN_MISSING)
    assert told == [{Reason.TOKEN_MISSING: 1}]
    for _ in range(1000):
        clock.now += 0.05
        strangers.count(Reason.TOKEN_INVALID)
    assert len(told) == 1
    clock.now += 10
    strangers.count(Reason.TOKEN_MISSING)
    assert told[1:] == [{Reason.TOKEN_INVALID: 1000, Reason.TOKEN_MISSING: 1}]
