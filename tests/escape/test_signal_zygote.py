"""Signals the zygote."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.kill(os.getppid(), 0)", raises="PermissionError", works=True)
)
