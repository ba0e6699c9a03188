"""Makes a device of the system's memory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.mknod(world['directory'] + '/mem', 0o20600, os.makedev(1, 1))", raises="OSError")
)
