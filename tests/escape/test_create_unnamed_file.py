"""Makes a file without a name."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.open(world['directory'], os.O_TMPFILE | os.O_RDWR)", raises="OSError", works=True)
)
