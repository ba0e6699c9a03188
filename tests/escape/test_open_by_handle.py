"""Opens a file by its number, past every directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('open_by_handle_at', -100, 0, 0)", kills=True))
