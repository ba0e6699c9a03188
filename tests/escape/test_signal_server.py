"""Signals the server."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.kill(world['server'], 0)", raises="PermissionError", works=True)
)
