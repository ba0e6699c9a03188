"""Mounts a file system."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('mount', 0, ctypes.c_char_p(b'/mnt'), ctypes.c_char_p(b'tmpfs'), 0, 0)", kills=True)
)
