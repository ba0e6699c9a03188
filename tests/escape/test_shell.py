"""Runs a shell."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
import subprocess
subprocess.run(['/bin/sh', '-c', 'true'], check=True)
""",
        raises="PermissionError",
        works=True,
    )
)
