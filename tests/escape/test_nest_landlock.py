"""Makes a ruleset of its own."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('landlock_create_ruleset', 0, 0, 1)", raises="PermissionError", works=True)
)
