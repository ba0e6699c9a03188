"""Makes a call by the x32 numbers."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
if world['machine'] != 'x86_64': os.kill(os.getpid(), signal.SIGSYS)
syscall(0x40000000 + nr['getpid'])
""",
        kills=True,
    )
)
