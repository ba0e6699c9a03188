"""Signals another tool's process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.kill(world['neighbour'], 0)", raises="PermissionError", works=True)
)
