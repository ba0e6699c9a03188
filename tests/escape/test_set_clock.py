"""Sets the machine's clock."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('clock_settime', 0, 0)", kills=True))
