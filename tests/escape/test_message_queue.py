"""Makes a queue that outlives the process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('mq_open', ctypes.c_char_p(b'escape'), 0o102, 0o600, 0)", raises="PermissionError")
)
