"""Asks for a name's address."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(Attack("socket.getaddrinfo('localhost', 80)", raises="gaierror"))
