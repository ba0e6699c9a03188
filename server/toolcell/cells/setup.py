"""The setup: everything a launcher needs to know of a tool, compiled by the trusted side."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from toolcell.cells.containment import filters, landlock
from toolcell.cells.view import view
from toolcell.model.tool import Tool

_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    # A library that starts threads when it is imported would make forking unsafe, and a cell has one call to
    # do.
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "BLIS_NUM_THREADS",
        ),
        "1",
    ),
}


def setup(tool: Tool, *, preload: bool, landlock_abi: int | None) -> dict[str, Any]:
    """Returns the fields of a `setup` frame; raises ToolUnavailable when the policy cannot be met."""
    abi = landlock.usable_abi(landlock_abi)
    zygote, cell = _filters(os.uname().machine, abi >= landlock.SCOPED_SIGNALS_ABI)
    module, _, function = tool.policy.entry.partition(":")
    limits = tool.policy.limits
    return {
        "server": os.getpid(),
        "landlock_abi": abi,
        "view": view(tool),
        "zygote_filter": zygote.hex(),
        "cell_filter": cell.instructions.hex(),
        "pid_offsets": cell.pid_offsets,
        "environment": {**_ENVIRONMENT, **tool.policy.env},
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "open_files": limits.open_files,
        "runtime": tool.policy.runtime,
        "directory": str(tool.directory.resolve()),
        "place": tool.place,
        "module": module,
        "function": function,
        "preload": preload,
    }


@cache
def _filters(machine: str, has_scoped_signals: bool) -> tuple[bytes, filters.CellFilter]:  # noqa: FBT001
    return filters.zygote_filter(machine, has_scoped_signals=has_scoped_signals), filters.cell_filter(machine)
