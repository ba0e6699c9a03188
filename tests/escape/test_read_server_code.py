"""Reads the server's own code, beside which its state may lie."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['server_code']).read()", raises="PermissionError", works=True)
)
