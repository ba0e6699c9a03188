"""Truncates a file by opening it in the mode that neither reads nor writes."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.open(__file__, 3 | os.O_TRUNC)", raises="PermissionError")
)
