"""Opens descriptors without end."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("kept = [os.pipe() for _ in range(100)]", raises="OSError", works=True)
)
