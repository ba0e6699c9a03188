"""Makes a process by the oldest call for it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
if world['machine'] != 'x86_64': raise PermissionError('there is no such call')
syscall('vfork')
""",
        raises="PermissionError",
    )
)
