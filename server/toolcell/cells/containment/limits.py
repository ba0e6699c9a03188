"""Resource limits of the zygote and its cells; a cell lowers CPU and open files further (setrlimit(2))."""

import math
import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ZYGOTE_OPEN_FILES = 1024
"""A zygote holds a pidfd for every living cell; its cells get the policy's number."""

ADDRESS_ROOM = 1 << 30
"""Bytes of address space beyond the memory limit: mapped files and reserved ranges cost no memory."""

TASKS = 8192
"""Tasks an ordinary user may have for a cell of theirs to start one more; the kernel exempts root."""


def lower(setup: "Mapping[str, Any]") -> None:
    """Lowers soft and hard limits together; raises OSError or ValueError."""
    memory = setup["memory_bytes"]
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_MEMLOCK, 0)
    _lower(resource.RLIMIT_MSGQUEUE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, ZYGOTE_OPEN_FILES)
    _lower(resource.RLIMIT_DATA, memory)
    _lower(resource.RLIMIT_AS, memory + ADDRESS_ROOM)
    if os.getuid() != 0:
        _lower(resource.RLIMIT_NPROC, TASKS)


def lower_cell(setup: "Mapping[str, Any]") -> None:
    """Gives a cell its CPU seconds (SIGXCPU, then SIGKILL a second later) and its open files.

    Raises OSError or ValueError.
    """
    seconds = math.ceil(setup["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    _lower(resource.RLIMIT_NOFILE, setup["open_files"])


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))
