"""Starts threads without end."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import threading
never = threading.Event()
while True: threading.Thread(target=never.wait, daemon=True).start()
""",
        raises="RuntimeError",
    )
)
