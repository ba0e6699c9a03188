"""Makes a file in shared memory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open('/dev/shm/escape-left-behind', 'x').close()", raises="PermissionError")
)
