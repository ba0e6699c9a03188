"""Stops the machine's swapping."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('swapoff', ctypes.c_char_p(b'/none'))", kills=True))
