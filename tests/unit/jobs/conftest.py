"""The life of a server that most tests here look at."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.jobs.works import Works, works
from toolcell.jobs import engine


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once what failed for a reason of ours."""
    monkeypatch.setattr(engine, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Works]:
    """A life of a server in which at most four may wait for jobs."""
    async with works(tmp_path, waits=4) as made:
        yield made
