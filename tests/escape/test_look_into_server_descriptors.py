"""Looks which files the server has open."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.readlink(f\"/proc/{world['server']}/fd/0\")", raises="PermissionError", works=True)
)
