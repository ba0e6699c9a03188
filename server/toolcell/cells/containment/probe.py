"""What this machine's kernel offers for confinement, and the level that follows from it."""

import os

from toolcell.cells.containment import kernel, landlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_KILL_PROCESS = 0x80000000


class Feature:
    """One facility of the kernel: whether it is `present`, how (`detail`), what follows (`consequence`)."""

    __slots__ = ("consequence", "detail", "name", "present")

    def __init__(self, name: str, *, present: bool, detail: str, consequence: str) -> None:
        self.name = name
        self.present = present
        self.detail = detail
        self.consequence = consequence


def highest_level() -> int:
    """Returns the highest isolation level this machine gives: 2, or 0 when level 2 lacks something."""
    return 2 if all(feature.present for feature in probe() if feature.name in _LEVEL_2) else 0


def probe() -> tuple[Feature, ...]:
    """Looks at every facility; takes microseconds and changes nothing."""
    version = landlock.abi()
    return (
        Feature(
            "landlock",
            present=version >= 1,
            detail=f"ABI {version}" if version else "not there or not switched on",
            consequence="Cells open only their own files."
            if version
            else "No tool can run: use Linux 5.13 or newer with lsm=landlock,… on its command line.",
        ),
        Feature(
            "seccomp",
            present=(filters := kernel.has_seccomp_action(_KILL_PROCESS)),
            detail="filters with KILL_PROCESS" if filters else "no filters for this kernel or architecture",
            consequence="Cells make only the system calls a handler needs."
            if filters
            else "No tool can run: use Linux 4.14 or newer with CONFIG_SECCOMP_FILTER on x86_64 or aarch64.",
        ),
        _simple("no_new_privs", _reads_no_new_privs, "Set-uid programs are powerless in cells.", "Linux 3.5"),
        _simple(
            "pidfd",
            _opens_pidfd,
            "A cell is killed by handle, never by a number that may be reused.",
            "Linux 5.3",
        ),
        _simple(
            "close_range", _closes_range, "A cell starts without a descriptor of the server.", "Linux 5.9"
        ),
        _scope(
            "landlock_truncate", version, landlock.TRUNCATION_ABI, "Truncation is refused by seccomp alone."
        ),
        _scope("landlock_tcp", version, landlock.TCP_ABI, "Sockets are refused by seccomp alone."),
        _scope(
            "landlock_scope", version, landlock.SCOPED_SIGNALS_ABI, "A handler cannot signal even itself."
        ),
    )


_LEVEL_2 = ("landlock", "seccomp", "no_new_privs", "pidfd", "close_range")


def _simple(name: str, works: "Callable[[], bool]", good: str, needs: str) -> Feature:
    present = works()
    consequence = good if present else f"No tool can run: {name} needs {needs} or newer."
    return Feature(
        name, present=present, detail="available" if present else "missing", consequence=consequence
    )


def _scope(name: str, version: int, needed: int, without: str) -> Feature:
    present = version >= needed
    detail = f"ABI {version}, needs {needed}"
    return Feature(
        name, present=present, detail=detail, consequence="Enforced twice." if present else without
    )


def _reads_no_new_privs() -> bool:
    return _succeeds(lambda: kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS))


def _opens_pidfd() -> bool:
    def attempt() -> None:
        os.close(os.pidfd_open(os.getpid()))

    return _succeeds(attempt)


def _closes_range() -> bool:
    def attempt() -> None:
        spare = os.open(os.devnull, os.O_RDONLY)
        try:
            kernel.close_range(spare, spare)
        except OSError:
            os.close(spare)
            raise

    return _succeeds(attempt)


def _succeeds(attempt: "Callable[[], object]") -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True
