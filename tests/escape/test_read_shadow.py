"""Reads the password hashes."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open('/etc/shadow').read()", raises="PermissionError", works=True, as_root=True)
)
