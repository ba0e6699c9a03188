"""Removes a file."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.unlink(world['directory'] + '/cell.toml')", raises="OSError", works=True)
)
