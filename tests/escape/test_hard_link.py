"""Links a file outside into the tool's directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("os.link(world['secret'], world['directory'] + '/mine.py')", raises="OSError", works=True)
)
