"""Takes a descriptor of another process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('pidfd_getfd', 0, 0, 0)", kills=True))
