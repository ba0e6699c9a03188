"""Watches what happens in a directory outside."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        "syscall('inotify_add_watch', syscall('inotify_init1', 0), ctypes.c_char_p(b'/etc'), 2)",
        raises="PermissionError",
        works=True,
    )
)
