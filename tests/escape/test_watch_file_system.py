"""Watches a whole file system."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("syscall('fanotify_init', 0, 0)", kills=True))
