"""Restarts the machine."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('reboot', 0, 0, 0, 0)", kills=True))
