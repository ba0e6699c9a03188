"""Makes a file in the tool's directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("open(world['directory'] + '/new.py', 'w').close()", raises="PermissionError", works=True)
)
