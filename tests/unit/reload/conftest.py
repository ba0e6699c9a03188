"""A house with two tools, `one` and `two`, which both say `old`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.reload.house import House, make_workspace


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    built = House(make_workspace(tmp_path, "One", "Two"))
    await built.catalog.load()
    yield built
    await built.cells.close()


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[House]:
    """The same with room for one zygote, so that a call of one tool evicts the other."""
    built = House(make_workspace(tmp_path, "One", "Two"), max_zygotes=1)
    await built.catalog.load()
    yield built
    await built.cells.close()
