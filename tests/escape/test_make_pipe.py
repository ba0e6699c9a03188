"""Makes a pipe with a name."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.mkfifo(world['directory'] + '/pipe')", raises="OSError", works=True)
)
