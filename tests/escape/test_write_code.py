"""Writes into the tool's own code."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(__file__, 'a').write('#')", raises="PermissionError", works=True)
)
