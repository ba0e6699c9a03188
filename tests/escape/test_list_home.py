"""Lists a directory outside of the view."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.listdir('/home')", raises="PermissionError", works=True))
