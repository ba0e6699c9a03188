"""grpcurl and buf curl with a production server: reflection takes a token and shows what it is granted."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.dev_server import PROGRAMS, ROOT, Server, copy_workspace, environment, run_toolcell

pytestmark = pytest.mark.timeout(900)  # the first of them waits for grpcurl to be built

TLS = ROOT / "tests/unit/transports/tls"
CA = str(TLS / "ca.pem")
OWN = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "toolcell.v1.ToolService",
]
SEARCH = "examples.crm.v1.CrmService/SearchCustomer"
ADA = '{"query": "cus_0001"}'


class Site:
    """The server with the programs that speak to it; `token` may call search_customer only."""

    def __init__(self, clients: Path, server: Server, token: str) -> None:
        (serving,) = [json.loads(line) for line in server.lines if '"serving"' in line]
        self._clients = clients
        self._folder = server.folder
        self._address = str(serving["address"])
        self._header = f"authorization: Bearer {token}"

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = environment()
        env["PATH"] = f"{self._clients}:{env['PATH']}"
        return subprocess.run(command, cwd=self._folder, env=env, capture_output=True, text=True, check=False)

    def grpcurl(self, *words: str, after: str, is_known: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs grpcurl, with the token or without."""
        token = ("-H", self._header) if is_known else ()
        return self._run("grpcurl", "-cacert", CA, *token, *words, self._address, *after.split())

    def buf(self, *words: str, path: str = "", is_known: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs buf curl, with the token or without."""
        token = ("-H", self._header, "--reflect-header", self._header) if is_known else ()
        url = f"https://{self._address}{path}"
        return self._run("buf", "curl", "--protocol", "grpc", "--cacert", CA, *token, *words, url)


@pytest.fixture(scope="module")
def site(clients: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with TLS and a token for a part of its tools."""
    folder = copy_workspace(tmp_path_factory.mktemp("workspace"))
    (folder / "state").mkdir(mode=0o700)
    grants = ("--group", "invoke", "--tool", "search_*", "--state", "state")
    token = run_toolcell(folder, "token", "create", "--caller", "agent", *grants).stdout.strip()
    command = [str(PROGRAMS / "toolcell"), "serve", "--grpc", "127.0.0.1:0", "--state", "state"]
    command += ["--certificate", str(TLS / "server.pem"), "--certificate-key", str(TLS / "server.key")]
    with Server(command, folder, ready='"serving"') as server:
        yield Site(clients, server, token)


def test_what_is_granted_is_listed(site: Site) -> None:
    listed = site.grpcurl(after="list").stdout.split()
    assert "examples.crm.v1.CrmService" in listed
    assert "examples.shipping.v1.ShippingService" not in listed
    assert set(OWN) <= set(listed)
    methods = site.grpcurl(after="list examples.crm.v1.CrmService").stdout.split()
    assert methods == ["examples.crm.v1.CrmService.SearchCustomer"]
    assert SEARCH in site.buf("--list-methods").stdout.split()
    assert "EnrichCustomer" not in site.buf("--list-methods").stdout


def test_a_contract_is_described_with_comments_and_options(site: Site) -> None:
    shown = site.grpcurl(after="describe examples.crm.v1.CrmService").stdout
    assert "Finds a customer by customer id" in shown
    assert 'title: "Search customer"' in shown
    assert "Enrich" not in shown
    shown = site.grpcurl(after="describe examples.crm.v1.SearchCustomerRequest").stdout
    assert "(.buf.validate.field)" in shown
    assert site.grpcurl(after="describe examples.crm.v1.EnrichCustomerRequest").returncode != 0


@pytest.mark.parametrize("path", [SEARCH, "toolcell.v1.ToolService/Invoke"])
def test_a_tool_is_called(site: Site, path: str) -> None:
    body = ADA if path == SEARCH else f'{{"tool": "search_customer", "arguments": {ADA}}}'
    for done in (site.grpcurl("-d", body, after=path), site.buf("-d", body, path=f"/{path}")):
        assert done.returncode == 0, done.stderr
        assert "Ada Lovelace" in done.stdout


def test_a_stranger_sees_and_calls_nothing(site: Site) -> None:
    listed = site.grpcurl(after="list", is_known=False)
    assert (listed.returncode != 0, listed.stdout) == (True, "")
    assert "bearer token" in listed.stderr
    assert site.grpcurl("-d", ADA, after=SEARCH, is_known=False).returncode != 0
    assert site.buf("--list-methods", is_known=False).returncode != 0
    assert site.buf("-d", ADA, path=f"/{SEARCH}", is_known=False).returncode != 0


def test_a_refusal_is_readable(site: Site) -> None:
    done = site.grpcurl("-d", '{"query": "Ada"}', after=SEARCH)
    assert "Code: InvalidArgument" in done.stderr
    assert '"reason": "INPUT_INVALID"' in done.stderr
    assert "must be a customer id such as cus_0001" in done.stderr


def test_the_health_of_a_tool_is_for_who_may_call_it(site: Site) -> None:
    def check(tool: str) -> str:
        body = json.dumps({"service": f"tool/{tool}"})
        done = site.grpcurl("-d", body, after="grpc.health.v1.Health/Check")
        return done.stdout + done.stderr

    assert '"status": "SERVING"' in check("search_customer")
    assert "Code: NotFound" in check("enrich_customer")
    assert "Code: NotFound" in check("never")
