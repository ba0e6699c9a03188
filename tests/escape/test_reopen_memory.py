"""Opens its own memory file, which write protection does not stop."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open('/proc/self/mem', 'r+b', 0)", raises="PermissionError")
)
