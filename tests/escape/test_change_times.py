"""Changes a file's times, which Landlock never covers."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.utime(world['secret'], (1, 1))", raises="OSError", works=True)
)
