"""Containment: what is in force before a handler is imported, one step a line, each failing hard.

Theory of operation
-------------------
A zygote starts as a trusted program: `python -I -S launcher.py`, a child of the server's permanent thread,
with an empty environment. It takes one frame that says what to confine to, walks STEPS in their order, and
only then imports the author's module. From that moment it is not trusted, and neither is any cell it forks:
everything that protects the host, the server and other tools must therefore be in STEPS, and no step may be
undone by code that runs later.

The order has reasons. A process that cannot be tied to the server's life must not live at all, so that comes
first; descriptors and environment go before anything could read them; capabilities go before no_new_privs and
Landlock, since neither needs them; limits go before the filter, which forbids to change them back; the view
is closed by Landlock, and seccomp, which forbids half of what the steps above do, is last.

A cell adds CELL_STEPS after the fork. Those protect calls from each other while the tool is honest but
exploited; its author's code, which the zygote has imported, could leave them out. What the levels promise is
in runtimes/README.md. Level 2 is this list. A higher level adds its steps as lines here and its kernel
facilities as files beside this one.

This package is loaded twice: by the server, to probe and to compile filters, and by the launcher, under `-I
-S`, from the same files. So the modules that the launcher needs (all but bpf, filters, syscalls) import next
to nothing: what a zygote has imported is what every fork pays for.
"""

from toolcell.cells.containment import identity, inheritance, landlock, limits, seccomp
from toolcell.cells.containment.probe import Feature, highest_level, probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "CELL_STEPS",
    "STEPS",
    "ConfinementError",
    "Feature",
    "confine",
    "confine_cell",
    "highest_level",
    "probe",
]

STEPS: "tuple[tuple[str, Callable[[dict[str, Any]], None]], ...]" = (
    ("die with the server", inheritance.tie_to_server),
    ("lead a session", inheritance.lead_session),
    ("close descriptors", inheritance.close_descriptors),
    ("replace the environment", inheritance.replace_environment),
    ("drop groups", identity.drop_groups),
    ("drop capabilities", identity.drop_capabilities),
    ("lower limits", limits.lower),
    ("forbid new privileges", identity.forbid_new_privileges),
    ("forbid inspection", identity.forbid_inspection),
    ("restrict with Landlock", landlock.restrict),
    ("prepare the cells' filter", seccomp.prepare_for_cells),
    ("install the filter", seccomp.install),
)
"""Every step of the zygote's confinement, in order; a step raises, or it is in force."""

CELL_STEPS: "tuple[tuple[str, Callable[[dict[str, Any]], None]], ...]" = (
    ("die with the zygote", inheritance.tie_to_zygote),
    ("lower the cell's limits", limits.lower_cell),
    ("install the cell's filter", seccomp.install_for_cell),
)
"""What each cell adds after the fork, in order. It holds against an exploited handler, not its author."""


class ConfinementError(Exception):
    """A step failed: `step` is its name; nothing may run in this process."""

    def __init__(self, step: str, cause: BaseException) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause


def confine(setup: "dict[str, Any]") -> None:
    """Walks STEPS on this process, for good; raises ConfinementError at the first that fails."""
    _walk(STEPS, setup)


def confine_cell(setup: "dict[str, Any]") -> None:
    """Walks CELL_STEPS on this process, for good; raises ConfinementError at the first that fails."""
    _walk(CELL_STEPS, setup)


def _walk(steps: "tuple[tuple[str, Callable[[dict[str, Any]], None]], ...]", setup: "dict[str, Any]") -> None:
    for name, step in steps:
        try:
            step(setup)
        except Exception as error:
            raise ConfinementError(name, error) from error
