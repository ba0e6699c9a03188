"""Reads data in the tool's directory that the policy does not give."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['directory'] + '/data/rows.txt').read()", raises="PermissionError", works=True)
)
