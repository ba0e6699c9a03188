"""Where the server listens and how: address, TLS, and the library's own bounds."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from toolcell.model.address import is_loopback

MIB: Final = 1 << 20


class ListenError(OSError):
    """The server cannot listen; says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """How to listen: `HOST:PORT` (port 0 = any), PEM files for TLS, and for mTLS the CA of the clients.

    `message_bytes` bounds a request, `calls` how many are in flight and `streams` how many follow events.
    Plaintext off loopback needs `insecure`: a token would cross the network readable. `reflection` says who
    may read the contracts: `open` (everybody), `token` (callers, what they are granted) or `off`.
    """

    address: str
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    message_bytes: int = 4 * MIB
    calls: int = 1000
    streams: int = 500
    insecure: bool = False
    reflection: str = "token"


def options(listen: Listen) -> tuple[tuple[str, int], ...]:
    """Returns the library's settings.

    Its bound on a message stands above ours: what is a little too large is refused with a reason, what is far
    too large is never held in memory. A connection is pinged, so that calls of a dead peer end.
    """
    return (
        ("grpc.max_receive_message_length", 2 * listen.message_bytes),
        ("grpc.max_send_message_length", -1),  # answers are bounded by pages and by each tool's output limit
        ("grpc.max_metadata_size", 8 << 10),
        ("grpc.absolute_max_metadata_size", 16 << 10),
        ("grpc.max_concurrent_streams", 1000),  # of one connection; a client queues what is beyond
        ("grpc.so_reuseport", 0),  # or a second server would share the port instead of failing to start
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 3),
    )


def bind(server: grpc.aio.Server, listen: Listen, address: str) -> int:
    """Binds an address and returns its port; raises ListenError."""
    try:
        if listen.certificate or listen.key or listen.client_ca:
            return server.add_secure_port(address, _credentials(listen))
        _guard_plaintext(listen)
        return server.add_insecure_port(address)
    except RuntimeError:  # the library says neither why nor what to do
        raise ListenError(f"cannot bind {address}: {_trouble(address)}") from None


def _trouble(address: str) -> str:
    """Finds out why an address could not be bound, by trying it without the library."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind) as probe:
            probe.bind(place)
    except UnicodeError:
        return "the host is no name. Give another grpc.listen."
    except OSError as wrong:
        return f"{wrong.strerror}. Stop what listens there, or give another grpc.listen."
    return (
        "its TLS files are not PEM, or the key is not the certificate's. Check grpc.certificate and grpc.key."
    )


def _guard_plaintext(listen: Listen) -> None:
    if not (listen.insecure or is_loopback(listen.address.rpartition(":")[0])):
        raise ListenError(
            f"{listen.address} is not loopback, and without TLS tokens would cross the network readable. "
            "Give a certificate and a key, or say --insecure when a proxy in front ends TLS."
        )


def _credentials(listen: Listen) -> grpc.ServerCredentials:
    if listen.certificate is None or listen.key is None:
        raise ListenError("TLS needs a certificate and its key. Give both.")
    try:
        pair = (listen.key.read_bytes(), listen.certificate.read_bytes())
        client_ca = listen.client_ca.read_bytes() if listen.client_ca else None
    except OSError as wrong:
        raise ListenError(
            f"cannot read {wrong.filename}: {wrong.strerror}. Check the path and its mode."
        ) from None
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)
