"""Signals the server by the call that carries data."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        "syscall('rt_sigqueueinfo', world['server'], 0, ctypes.create_string_buffer(128))",
        raises="PermissionError",
    )
)
