"""Mounts a file system by the newer calls."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('fsopen', ctypes.c_char_p(b'tmpfs'), 0)", kills=True)
)
