"""Leaves the process group, so as not to be killed with it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.setpgid(0, 0)", raises="PermissionError", works=True))
