"""Makes a process that shares the memory and is no thread."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('clone', 0x100 | 17, 0, 0, 0, 0)", raises="PermissionError")
)
