"""Reads a file outside of the tool's directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['secret']).read()", raises="PermissionError", works=True)
)
