"""Connects to a port of this machine."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.create_connection(('127.0.0.1', world['port']), 5)", raises="PermissionError", works=True)
)
