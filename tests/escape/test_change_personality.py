"""Changes how the kernel treats the process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('personality', 0x0040000)", raises="PermissionError", works=True)
)
