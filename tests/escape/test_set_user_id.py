"""Makes a program that runs as its owner."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.chmod(__file__, 0o4755)", raises="OSError", works=True))
