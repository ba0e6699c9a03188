"""Writes into the standard library."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(os.__file__, 'a').close()", raises="PermissionError", works=True, as_root=True)
)
