"""Moves the server to one processor."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        "os.sched_setaffinity(world['server'], os.sched_getaffinity(0))", raises="PermissionError", works=True
    )
)
