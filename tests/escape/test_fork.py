"""Makes a second process."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.fork() or os._exit(0)", raises="PermissionError", works=True)
)
