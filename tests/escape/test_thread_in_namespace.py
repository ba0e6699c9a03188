"""Makes a thread with a namespace's flag."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('clone', 0x10000000 | 0x10000, 0, 0, 0, 0)", raises="PermissionError")
)
