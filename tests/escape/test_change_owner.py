"""Changes a file's owner, which Landlock never covers."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.chown(world['secret'], os.getuid(), os.getgid())", raises="OSError", works=True)
)
