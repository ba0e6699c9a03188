"""Cells on this machine's kernel, closed after each test."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.cells.toolmaker import Hand
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock


@pytest.fixture
async def cells() -> AsyncIterator[Cells]:
    made = Cells(clock=SystemClock(), level=2)
    yield made
    await made.close()


@pytest.fixture
async def clock() -> Hand:
    return Hand()
