"""Makes a link in the tool's directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.symlink('/etc', world['directory'] + '/etc')", raises="OSError", works=True)
)
