"""Reads the tool's own policy, which the author need not know."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['directory'] + '/cell.toml').read()", raises="PermissionError", works=True)
)
