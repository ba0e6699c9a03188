"""Takes precedence over others."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.setpriority(os.PRIO_PROCESS, 0, -5)", raises="PermissionError")
)
