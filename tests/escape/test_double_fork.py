"""Makes a process that outlives the call."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os._exit(0)
""",
        raises="PermissionError",
        works=True,
    )
)
