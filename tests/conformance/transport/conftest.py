"""One real server for all tests of the doors, with its key and a channel."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.transport import workspace
from tests.conformance.transport.doors import Site
from tests.system.dev_server import Server
from toolcell.model.caller import GROUPS, Grants
from toolcell.model.clock import SystemClock
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Retention
from toolcell.store.sqlite import open_store

EVERYTHING = Grants(frozenset(GROUPS), ("*",))


async def expired_token(state: Path) -> str:
    """Makes a token that lasts a microsecond: shorter than anybody can ask for."""
    clock = SystemClock()
    store = await open_store(state, clock=clock, retention=Retention())
    try:
        return (await TokenBook(store.tokens, clock, "dev").create("old", "", EVERYTHING, 0.000_001))[1]
    finally:
        await store.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that serves the good tools beside the broken ones; one of its tokens has expired."""
    folder = workspace.make(tmp_path_factory.mktemp("doors"))
    expired = asyncio.run(expired_token(folder / ".toolcell"))
    with Server.dev(folder) as server:
        state = folder / ".toolcell"
        with Site(
            (state / "address").read_text().strip(), (state / "dev.key").read_text().strip(), expired
        ) as it:
            yield it
        assert server.stop() == 0
