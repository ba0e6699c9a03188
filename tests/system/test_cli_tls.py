"""The command line and `toolcell serve` over TLS, with certificates on both sides."""

import json
from collections.abc import Iterator

import pytest

from tests.system.dev_server import PROGRAMS, ROOT, Server, copy_workspace, run_toolcell

TLS = ROOT / "tests/unit/transports/tls"
CA, CLIENT, CLIENT_KEY = (str(TLS / name) for name in ("ca.pem", "client.pem", "client.key"))
MUTUAL = ("--ca", CA, "--cert", CLIENT, "--key", CLIENT_KEY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A production server that wants the client's certificate, and a token for it."""
    folder = copy_workspace(tmp_path_factory.mktemp("workspace"))
    (folder / "state").mkdir(mode=0o700)
    token = ("token", "create", "--caller", "agent", "--group", "invoke", "--tool", "*", "--state", "state")
    (folder / "token").write_text(run_toolcell(folder, *token).stdout)
    command = [str(PROGRAMS / "toolcell"), "serve", "--grpc", "127.0.0.1:0", "--state", "state"]
    command += ["--certificate", str(TLS / "server.pem"), "--certificate-key", str(TLS / "server.key")]
    with Server([*command, "--client-ca", CA], folder, ready='"serving"') as running:
        yield running


def tools(server: Server, *options: str) -> tuple[int, str, str]:
    """Lists the tools over a connection made with these options."""
    (serving,) = [json.loads(line) for line in server.lines if '"serving"' in line]
    words = ("--server", serving["address"], *options, "tools")
    done = server.toolcell(*words, TOOLCELL_TOKEN_FILE="token")
    return done.returncode, done.stdout, done.stderr


def test_certificates_on_both_sides_make_a_connection(server: Server) -> None:
    code, out, err = tools(server, *MUTUAL)
    assert (code, err) == (0, "")
    assert "search_customer" in out


@pytest.mark.parametrize("options", [(), ("--insecure",), ("--ca", CA), ("--ca", CLIENT, *MUTUAL[2:])])
def test_anything_less_does_not(server: Server, options: tuple[str, ...]) -> None:
    code, out, err = tools(server, *options)
    assert (code, out) == (8, "")
    assert err.startswith("error: 127.0.0.1:")
