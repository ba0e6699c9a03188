"""Reads an extended attribute, which Landlock never covers."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.listxattr(world['secret'])", raises="OSError", works=True)
)
