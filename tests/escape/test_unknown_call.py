"""Makes a call newer than the filter."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall(600)", raises="OSError"))
