"""Becomes another user."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.setuid(os.getuid())", kills=True, works=True))
