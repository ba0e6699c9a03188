"""Signals the process group, which has the zygote and other calls in it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.kill(0, 0)", raises="PermissionError", works=True))
