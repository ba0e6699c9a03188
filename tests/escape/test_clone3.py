"""Makes a process by the newest call, whose flags a filter cannot see."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('clone3', ctypes.create_string_buffer(88), 88)", raises="OSError")
)
