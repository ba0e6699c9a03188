"""Leaves the session, so as not to be killed with it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.setsid()", raises="PermissionError", works=True))
