"""Lists the root of the file system."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.listdir('/')", raises="PermissionError", works=True))
