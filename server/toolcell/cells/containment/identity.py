"""Who the process is to the kernel: groups, capabilities, whether it can gain any, who may look inside."""

import os

from toolcell.cells.containment import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CAP_SETGID, _CAP_SETPCAP = 6, 8
_LAST_POSSIBLE_CAPABILITY = 63


def drop_groups(_: "Mapping[str, Any]") -> None:
    """Leaves every supplementary group, where the process may do so at all; raises OSError."""
    if kernel.effective_capabilities() & 1 << _CAP_SETGID:
        os.setgroups([])


def drop_capabilities(_: "Mapping[str, Any]") -> None:
    """Gives up every capability, now and for whatever is executed later; raises OSError."""
    if kernel.effective_capabilities() & 1 << _CAP_SETPCAP:
        for capability in range(_LAST_POSSIBLE_CAPABILITY + 1):
            try:
                kernel.prctl(kernel.PR_CAPBSET_READ, capability)
            except OSError:
                break  # the kernel knows no capability of this number
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
    kernel.clear_ambient_capabilities()
    kernel.drop_capabilities()


def forbid_new_privileges(_: "Mapping[str, Any]") -> None:
    """Makes set-uid programs and file capabilities powerless, for good; raises OSError."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def forbid_inspection(_: "Mapping[str, Any]") -> None:
    """Takes /proc/PID/{mem,fd,environ} and ptrace away from processes of the same user; raises OSError."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
