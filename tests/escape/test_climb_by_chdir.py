"""Changes the directory and opens a relative path."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
os.chdir(world['directory'] + '/..')
open('secret.txt').read()
""",
        raises="PermissionError",
        works=True,
    )
)
