"""Changes a limit of the server."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import resource
resource.prlimit(world['server'], resource.RLIMIT_CORE)
""",
        raises="PermissionError",
        works=True,
    )
)
