"""Seccomp: puts a filter on, compiled beforehand by the server (filters, bpf)."""

import os

from toolcell.cells.containment import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def install(setup: "Mapping[str, Any]") -> None:
    """Puts the zygote's filter on this process and all it will fork; raises OSError."""
    kernel.FilterProgram(bytes.fromhex(setup["zygote_filter"])).install()


def prepare_for_cells(setup: "dict[str, Any]") -> None:
    """Makes the cells' filter ready in the zygote, as `cell_program` of the setup."""
    setup["cell_program"] = kernel.FilterProgram(bytes.fromhex(setup["cell_filter"]))


def install_for_cell(setup: "Mapping[str, Any]") -> None:
    """Puts a cell's own filter on it, with its process id written in; raises OSError."""
    program = setup["cell_program"]
    for offset in setup["pid_offsets"]:
        program.write(offset, os.getpid())
    program.install()
