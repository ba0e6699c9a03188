"""Becomes a program that was never a file."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.memfd_create('x')", raises="PermissionError", works=True)
)
