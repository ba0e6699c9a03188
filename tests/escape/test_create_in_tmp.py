"""Makes a file that a later call could find."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open('/tmp/escape-left-behind', 'x').close()", raises="PermissionError")
)
