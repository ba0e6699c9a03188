"""One real server for all tests of the doors, with its key and a channel."""

from collections.abc import Iterator

import pytest

from tests.conformance.transport import workspace
from tests.conformance.transport.doors import Site
from tests.system.dev_server import Server
from toolcell.app import create_token_offline
from toolcell.model.caller import GROUPS, Grants

EVERYTHING = Grants(frozenset(GROUPS), ("*",))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that serves the good tools beside the broken ones; one of its tokens has expired."""
    folder = workspace.make(tmp_path_factory.mktemp("doors"))
    expired = create_token_offline(folder / ".toolcell", "old", EVERYTHING, "", 0.000_001)
    with Server.dev(folder) as server:
        state = folder / ".toolcell"
        with Site(
            (state / "address").read_text().strip(), (state / "dev.key").read_text().strip(), expired
        ) as it:
            yield it
        assert server.stop() == 0
