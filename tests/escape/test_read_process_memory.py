"""Reads the server's memory by the call for it."""

from tests.escape.attack import Attack, blocked

test_it_is_blocked_and_recorded = blocked(
    Attack("syscall('process_vm_readv', world['server'], 0, 0, 0, 0, 0)", kills=True)
)
