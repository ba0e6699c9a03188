"""Follows a link in the tool's directory to a file outside."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['directory'] + '/link').read()", raises="PermissionError", works=True)
)
