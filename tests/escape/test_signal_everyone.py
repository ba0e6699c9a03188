"""Signals every process there is."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.kill(-1, 0)", raises="PermissionError"))
