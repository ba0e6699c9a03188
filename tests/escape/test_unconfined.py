"""The attacks are real: those marked `works` get through when nothing confines the handler."""

import importlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.escape.attack import ESCAPED, HANDLER, Attack, Target
from tests.escape.conftest import a_world
from tests.unit.cells.toolmaker import make_tool
from toolcell.cells import control
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock

HERE = Path(__file__).parent


def attacks() -> dict[str, Attack]:
    """Returns every attack of this folder by its file's name."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(f"tests.escape.{path.stem}") if path != Path(__file__) else None
        test = getattr(module, "test_it_is_blocked_and_recorded", None)
        if test is not None:
            found[path.stem] = test.attack
    return found


ATTACKS = attacks()


@pytest.fixture
async def unconfined(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    neighbour: tuple[int, Path],
    listeners: dict[str, Any],
) -> AsyncIterator[Target]:
    """A tool of its own for each attack, as they do harm here."""
    monkeypatch.setattr(control, "LAUNCHER", HERE / "unconfined_launcher.py")
    cells = Cells(clock=SystemClock(), level=0)
    tool = make_tool(tmp_path / "attack", HANDLER)
    yield Target(cells, tool, a_world(tool.directory, neighbour, listeners))
    await cells.close()


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.works])
async def test_it_gets_through_without_confinement(unconfined: Target, name: str) -> None:
    if ATTACKS[name].as_root and os.getuid() != 0:
        pytest.skip("only root gets through where nothing is confined; CI runs as root and skips nothing")
    trial = await unconfined.run(ATTACKS[name].body)
    assert trial.reply.value == ESCAPED, trial


def test_most_attacks_that_can_be_shown_are() -> None:
    assert sum(attack.works for attack in ATTACKS.values()) >= len(ATTACKS) // 3
