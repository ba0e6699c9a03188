"""Plaintext stays on this machine, TLS and mTLS do what they say, and a port has one owner."""

import socket
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.unit.transports.house import house
from toolcell.transports.grpc.listen import Listen, ListenError, bind

TLS = Path(__file__).with_name("tls")
SERVER = {"certificate": TLS / "server.pem", "key": TLS / "server.key"}
CA = (TLS / "ca.pem").read_bytes()
PAIR = ((TLS / "client.key").read_bytes(), (TLS / "client.pem").read_bytes())


def bound(listen: Listen) -> int:
    return bind(grpc.aio.server(), listen, listen.address)


async def test_plaintext_off_loopback_is_refused_unless_it_is_wanted() -> None:
    with pytest.raises(ListenError, match="without TLS tokens would cross the network readable"):
        bound(Listen("0.0.0.0:0"))
    assert bound(Listen("0.0.0.0:0", insecure=True)) > 0


async def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="certificate and its key"):
        bound(Listen("127.0.0.1:0", certificate=TLS / "server.pem"))
    with pytest.raises(ListenError, match="certificate and its key"):
        bound(Listen("127.0.0.1:0", client_ca=TLS / "ca.pem"))
    with pytest.raises(ListenError, match="No such file"):
        bound(Listen("127.0.0.1:0", certificate=TLS / "server.pem", key=tmp_path / "none"))
    (tmp_path / "not.pem").write_text("no certificate")
    with pytest.raises(ListenError, match=r"not PEM.*Check grpc\.certificate"):
        bound(Listen("127.0.0.1:0", certificate=tmp_path / "not.pem", key=TLS / "server.key"))


async def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot bind 127.0.0.1:{port}: Address already in use"):
            bound(Listen(f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("address", "why"), [("192.0.2.1:1", "give another"), (f"{'a' * 300}:1", "Give another")]
)
async def test_a_host_that_is_none_is_refused(address: str, why: str) -> None:
    with pytest.raises(ListenError, match=rf"cannot bind {address[:9]}.*{why} grpc\.listen"):
        bound(Listen(address, insecure=True))


async def status(port: int, credentials: grpc.ChannelCredentials) -> int:
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        answer = await HealthStub(channel).Check(HealthCheckRequest(), timeout=10)
        return int(answer.status)


async def test_tls_shows_the_servers_certificate(tmp_path: Path) -> None:
    async with house(tmp_path, **SERVER) as served:
        assert await status(served.port, grpc.ssl_channel_credentials(CA)) == HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await HealthStub(served.channel).Check(HealthCheckRequest(), timeout=10)


async def test_mtls_wants_the_clients_certificate(tmp_path: Path) -> None:
    async with house(tmp_path, client_ca=TLS / "ca.pem", **SERVER) as served:
        with_pair = grpc.ssl_channel_credentials(CA, *PAIR)
        assert await status(served.port, with_pair) == HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await status(served.port, grpc.ssl_channel_credentials(CA))
