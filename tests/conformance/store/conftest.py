"""A store on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.store.samples import DATABASES, StillClock, open_on
from toolcell.store.lifecycle import Store


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(kind: str, tmp_path: Path, clock: StillClock) -> AsyncIterator[Store]:
    opened = await open_on(kind, tmp_path / "state", clock=clock)
    yield opened
    await opened.close()
