"""Makes a raw socket."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)", raises="PermissionError")
)
