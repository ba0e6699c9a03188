"""Starts threads without end."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import _thread
try:
    while True: _thread.start_new_thread(time.sleep, (600,))
except MemoryError:
    raise RuntimeError('no memory for another') from None
""",
        raises="RuntimeError",
    )
)
