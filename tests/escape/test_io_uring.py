"""Uses the kernel's queue of requests, past every filter."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('io_uring_setup', 1, ctypes.create_string_buffer(256))", kills=True)
)
