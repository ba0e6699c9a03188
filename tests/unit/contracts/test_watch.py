"""Which saved files count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from toolcell.contracts import watch
from toolcell.contracts.watch import saves

PASSED_OVER = (
    ".hidden",
    ".handler.py.swp",
    "handler.py~",
    "#handler.py#",
    ".#handler.py",
    "4913",
    "handler.py___jb_tmp___",
    "__pycache__/handler.cpython-311.pyc",
    ".git/index",
)


@pytest.fixture
async def saved(tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "tool").mkdir()
    async with aclosing(saves(tmp_path)) as found:
        await anext(found)  # what comes for the time before
        yield found


async def test_a_save_is_noticed(saved: Any, tmp_path: Path) -> None:
    (tmp_path / "tool/handler.py").write_text("")
    async with asyncio.timeout(20):
        await anext(saved)


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_editors_and_interpreters_leave_is_passed_over(tmp_path: Path, name: str) -> None:
    places = [tmp_path / ".protos", tmp_path / ".handlers"]  # what is above a root does not count
    assert not watch._is_watched(tmp_path / ".handlers/tool" / name, places)
    assert watch._is_watched(tmp_path / ".handlers/tool/handler.py", places)


async def test_a_root_that_is_made_later_is_noticed(tmp_path: Path) -> None:
    async with aclosing(saves(tmp_path / "absent")) as found:
        await anext(found)
        (tmp_path / "absent").mkdir()
        async with asyncio.timeout(20):
            await anext(found)
            (tmp_path / "absent/file").write_text("")
            await anext(found)
