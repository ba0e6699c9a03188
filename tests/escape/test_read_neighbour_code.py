"""Reads another tool's code."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['neighbour_code']).read()", raises="PermissionError", works=True)
)
