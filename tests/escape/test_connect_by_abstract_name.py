"""Connects to a socket with an abstract name."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack(
        r"""
link = socket.socket(socket.AF_UNIX)
link.connect('\0' + world['abstract'])
""",
        raises="PermissionError",
        works=True,
    )
)
