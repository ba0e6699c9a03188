"""The floors: who may import whom in the server. The contracts themselves stand in pyproject.toml."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, ROOT


def lint(source_root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=source_root,
        env=os.environ | {"PYTHONPATH": str(source_root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_goes_down() -> None:
    run = lint(PACKAGE.parent)
    assert run.returncode == 0, run.stdout


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Builds a toolcell with every room there may be, each of them empty."""
    floors = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0][
        "layers"
    ]
    for room in re.findall(r"\w+", " ".join(floors)):
        (tmp_path / "toolcell" / room).mkdir(parents=True)
        (tmp_path / "toolcell" / room / "__init__.py").touch()
    (tmp_path / "toolcell" / "__init__.py").touch()
    return tmp_path


def test_an_empty_house_breaks_nothing(house: Path) -> None:
    run = lint(house)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("room", "imported", "contract"),
    [
        ("wire", "store", "Floors"),
        ("store", "cells", "Floors"),
        ("pipeline", "transports", "Floors"),
        ("pipeline", "v1", "Floors"),
        ("app", "v1", "Generated code"),
        ("cli", "runtimes", "Floors"),
    ],
)
def test_an_import_that_is_forbidden_is_noticed(house: Path, room: str, imported: str, contract: str) -> None:
    (house / "toolcell" / room / "__init__.py").write_text(f"import toolcell.{imported}\n")
    run = lint(house)
    assert run.returncode == 1
    broken = [line for line in run.stdout.splitlines() if line.endswith("BROKEN")]
    assert [line.startswith(contract) for line in broken] == [True], run.stdout


def test_a_room_on_no_floor_is_noticed(house: Path) -> None:
    (house / "toolcell" / "attic.py").touch()
    run = lint(house)
    assert run.returncode == 1
    assert "attic" in run.stdout
