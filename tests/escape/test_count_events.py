"""Counts the processor's events."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('perf_event_open', 0, 0, -1, -1, 0)", kills=True))
