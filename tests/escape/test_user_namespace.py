"""Makes a user namespace, where it would be root."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('unshare', 0x10000000)", kills=True))
