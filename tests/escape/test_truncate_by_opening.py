"""Truncates a file by opening it to read, which Landlock before ABI 3 lets pass."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.open(__file__, os.O_RDONLY | os.O_TRUNC)", raises="OSError")
)
