"""Lowers the server's priority."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.setpriority(os.PRIO_PROCESS, world['server'], 0)", raises="PermissionError", works=True)
)
