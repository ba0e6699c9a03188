"""Sets the machine's name."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('sethostname', 0, 0)", kills=True))
