"""Makes a directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.mkdir(world['directory'] + '/more')", raises="OSError", works=True)
)
