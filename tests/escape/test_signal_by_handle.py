"""Takes a handle of the server to signal it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.pidfd_open(world['server'])", raises="PermissionError", works=True)
)
