"""Looks for a descriptor that was left open."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
found = []
for number in range(4, 256):
    try: found.append((number, os.fstat(number)))
    except OSError: pass
if not found: raise LookupError('nothing was left open')
""",
        raises="LookupError",
    )
)
