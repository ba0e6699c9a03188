"""Climbs out of a directory by its descriptor."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        """
top = os.open(world['directory'], os.O_RDONLY | os.O_DIRECTORY)
os.read(os.open('../secret.txt', os.O_RDONLY, dir_fd=top), 10)
""",
        raises="PermissionError",
        works=True,
    )
)
