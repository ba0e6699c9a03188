"""Renames a file."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        "os.rename(world['directory'] + '/data', world['directory'] + '/taken')", raises="OSError", works=True
    )
)
