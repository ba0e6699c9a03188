"""Collects figures, prints them as a table, and writes them as JSON with `--figures FILE`."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, what the same run's floor was, and the budget it is held against."""

    name: str
    value: float
    unit: str
    floor: float | None
    budget: str
    is_within: bool


Report = Callable[..., None]
_FIGURES: list[Figure] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--figures`."""
    parser.addoption("--figures", type=Path, help="write the figures to this file, as JSON")


@pytest.fixture
def report() -> Report:
    """Records a figure and fails the test when it is over its budget."""

    def record(
        name: str,
        value: float,
        unit: str,
        *,
        floor: float | None = None,
        most: float | None = None,
        least: float | None = None,
    ) -> None:
        measured = value / floor if floor else value
        is_within = (most is None or measured <= most) and (least is None or measured >= least)
        bound = f"≤ {most:g}" if most is not None else f"≥ {least:g}" if least is not None else ""
        budget = f"{bound} × floor" if floor and bound else bound
        _FIGURES.append(Figure(name, value, unit, floor, budget, is_within))
        assert is_within, f"{name}: {measured:.2f}, budget {budget}"

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table."""
    if not _FIGURES:
        return
    terminalreporter.section("figures")
    for f in _FIGURES:
        floor = f"floor {f.floor:9.2f}  ratio {f.value / f.floor:6.2f}" if f.floor else " " * 31
        terminalreporter.write_line(
            f"{f.name:<52} {f.value:10.2f} {f.unit:<12} {floor}  {f.budget:<14} "
            f"{'ok' if f.is_within else 'OVER'}"
        )
    if path := config.getoption("figures"):
        path.write_text(json.dumps([asdict(f) for f in _FIGURES], indent=2) + "\n")
