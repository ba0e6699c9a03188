"""The launcher with no confinement in force: shows what attacks do then. Only a test starts it."""

import importlib
import sys
from pathlib import Path
from typing import Any

SERVER = str(Path(__file__).parents[2] / "server")
HARMLESS = ("die with the server", "lead a session", "close descriptors", "replace the environment")

if __name__ == "__main__":
    sys.path.insert(0, SERVER)
    containment: Any = importlib.import_module("toolcell.cells.containment")
    launcher = importlib.import_module("toolcell.cells.launcher")
    sys.path.remove(SERVER)
    containment.STEPS = tuple(step for step in containment.STEPS if step[0] in HARMLESS)
    containment.CELL_STEPS = containment.CELL_STEPS[:1]
    launcher.main()
