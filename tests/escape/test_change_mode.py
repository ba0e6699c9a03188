"""Changes a file's mode, which Landlock never covers."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.chmod(world['secret'], 0o666)", raises="OSError", works=True)
)
