"""Traces the server."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('ptrace', 16, world['server'], 0, 0)", kills=True))
