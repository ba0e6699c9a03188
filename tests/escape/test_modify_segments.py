"""Changes the processor's table of segments."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
if world['machine'] != 'x86_64': os.kill(os.getpid(), signal.SIGSYS)
syscall('modify_ldt', 0, 0, 0)
""",
        kills=True,
    )
)
