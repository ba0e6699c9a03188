"""Hosts as people write them."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tells whether a host, `[…]` around it or not, is this machine by its name or number, asking nobody."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
