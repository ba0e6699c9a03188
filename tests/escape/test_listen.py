"""Listens on a port."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.create_server(('127.0.0.1', 0))", raises="PermissionError", works=True)
)
