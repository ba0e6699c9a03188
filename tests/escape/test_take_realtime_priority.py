"""Takes the processor for itself."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", raises="PermissionError")
)
