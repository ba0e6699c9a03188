"""Changes its root directory."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("os.chroot(world['directory'])", kills=True))
