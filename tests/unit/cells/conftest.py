"""Cells on this machine's kernel, closed after each test."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.cells.toolmaker import Hand
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock


@pytest.fixture(autouse=True)
async def callbacks() -> AsyncIterator[None]:
    """Fails a test in which something that the loop calls raised, an `emit` too: the loop only logs it."""
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    yield
    assert raised == []


@pytest.fixture
async def cells() -> AsyncIterator[Cells]:
    made = Cells(clock=SystemClock(), level=2)
    yield made
    await made.close()


@pytest.fixture
async def clock() -> Hand:
    return Hand()


@pytest.fixture
async def few(clock: Hand) -> AsyncIterator[Cells]:
    """Cells of at most two zygotes, whose clock is moved by hand."""
    made = Cells(clock=clock, level=2, max_zygotes=2)
    yield made
    await made.close()
