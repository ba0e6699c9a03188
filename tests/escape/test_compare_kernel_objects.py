"""Asks what two processes share."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('kcmp', world['server'], os.getpid(), 0, 0, 0)", kills=True)
)
