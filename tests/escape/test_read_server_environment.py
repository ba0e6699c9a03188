"""Reads the server's environment."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(f\"/proc/{world['server']}/environ\").read()", raises="PermissionError", works=True)
)
