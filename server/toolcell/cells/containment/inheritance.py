"""What a process has from its parent: its life, its session, its descriptors, its environment."""

import os
import signal

from toolcell.cells.containment import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

CONTROL = 3
"""The descriptor of the control conversation; 0, 1 and 2 are /dev/null, there is no other."""

_LAST_DESCRIPTOR = (1 << 32) - 1


def tie_to_server(setup: "Mapping[str, Any]") -> None:
    """Dies with the server's thread that started it; raises ProcessLookupError if that is gone already."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != setup["server"]:
        raise ProcessLookupError("the server is gone")


def lead_session(_: "Mapping[str, Any]") -> None:
    """Starts a session, so that its process group is exactly this zygote and its cells; raises OSError."""
    os.setsid()


def tie_to_zygote(setup: "Mapping[str, Any]") -> None:
    """Dies with the zygote (a fork does not inherit that); raises ProcessLookupError if that is gone."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != setup["zygote"]:
        raise ProcessLookupError("the zygote is gone")


def close_descriptors(_: "Mapping[str, Any]") -> None:
    """Keeps the control socket as descriptor 3 and /dev/null as 0, 1 and 2; raises OSError."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    kernel.close_range(CONTROL + 1, _LAST_DESCRIPTOR)


def replace_environment(setup: "Mapping[str, Any]") -> None:
    """Forgets the environment and takes the one the server chose; raises OSError or ValueError."""
    os.environ.clear()
    os.environ.update(setup["environment"])
