"""Which hosts are this machine."""

import pytest

from toolcell.model.address import is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("::1", True), ("localhost", True),
        ("10.0.0.1", False), ("[::]", False), ("192.168.1.1", False), ("example.com", False),
        ("localhost.example.com", False), ("127.evil.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
