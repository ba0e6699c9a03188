"""Raises a limit of its own."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
""",
        raises="ValueError",
        works=True,
    )
)
