"""Makes a socket of the other internet protocol."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_INET6)", raises="PermissionError", works=True)
)
