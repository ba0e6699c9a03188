"""The server most tests here talk to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.transports.house import House, house


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[House]:
    """A server with a token that may do everything."""
    async with house(tmp_path) as open_house:
        yield open_house
