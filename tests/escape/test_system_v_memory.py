"""Makes memory that outlives the process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('shmget', 0, 4096, 0o1600)", raises="PermissionError")
)
