"""Signals a thread by its number alone."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('tkill', world['server'], 0)", raises="PermissionError", works=True)
)
