"""Truncates a file by its path, which Landlock before ABI 3 lets pass."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.truncate(world['directory'] + '/data/rows.txt', 0)", raises="OSError", works=True)
)
