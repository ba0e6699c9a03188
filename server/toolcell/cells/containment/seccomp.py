"""Seccomp: puts a filter on, compiled beforehand by the server (filters, bpf)."""

import os
import struct

from toolcell.cells.containment import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def install(setup: "Mapping[str, Any]") -> None:
    """Puts the zygote's filter on this process and all it will fork; raises OSError."""
    kernel.FilterProgram(bytes.fromhex(setup["zygote_filter"])).install()


def install_for_cell(setup: "Mapping[str, Any]") -> None:
    """Puts a cell's own filter on it, with its process id written in; raises OSError."""
    instructions = bytearray.fromhex(setup["cell_filter"])
    for offset in setup["pid_offsets"]:
        struct.pack_into("=I", instructions, offset, os.getpid())
    kernel.FilterProgram(bytes(instructions)).install()
