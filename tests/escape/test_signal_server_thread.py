"""Signals a thread of the server."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('tgkill', world['server'], world['server'], 0)", raises="PermissionError", works=True)
)
