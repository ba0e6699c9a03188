"""Reads another tool's memory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(f\"/proc/{world['neighbour']}/mem\", 'rb')", raises="PermissionError")
)
