"""Landlock: what of the file system the cell can open, and whom it can reach (landlock(7))."""

import os
import struct

from toolcell.cells.containment import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
TRUNCATE = 1 << 14
_HANDLED_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI → how many file rights it knows
_TCP_RIGHTS = 0b11  # bind, connect: handled from TCP_ABI on, allowed nowhere
_SCOPES = 0b11  # abstract unix sockets, signals: from SCOPED_SIGNALS_ABI on
NEWEST_ABI = 6  # the newest of which this module uses something
TRUNCATION_ABI, TCP_ABI, SCOPED_SIGNALS_ABI = 3, 4, 6

RIGHTS = {
    "file": READ_FILE,
    "tree": READ_FILE | READ_DIR,
    "names": READ_DIR,
    "device": READ_FILE | WRITE_FILE | TRUNCATE,
}
"""What a line of the view grants: a file's content, all below a directory, only the names there, a device."""

_CREATE_VERSION = 1
_PATH_BENEATH = 1


def abi() -> int:
    """Returns the kernel's Landlock ABI, 0 when it has none or it is switched off."""
    try:
        return kernel.syscall(kernel.LANDLOCK_CREATE_RULESET, None, 0, _CREATE_VERSION)
    except OSError:
        return 0


def usable_abi(ceiling: int | None) -> int:
    """Returns the ABI to confine with: the kernel's, or `ceiling` where that is lower; it can only lower."""
    return min(abi(), NEWEST_ABI, ceiling or NEWEST_ABI)


def restrict(setup: "Mapping[str, Any]") -> None:
    """Confines this thread to the view: lines of (path, kind) as RIGHTS names them. Raises OSError."""
    version = usable_abi(setup["landlock_abi"])
    handled = (1 << _HANDLED_BITS[min(version, 5)]) - 1
    attributes = struct.pack("=QQQ", handled, _TCP_RIGHTS, _SCOPES)
    size = 8 * (1 + (version >= TCP_ABI) + (version >= SCOPED_SIGNALS_ABI))
    ruleset = kernel.syscall(kernel.LANDLOCK_CREATE_RULESET, attributes, size, 0)
    _fill(ruleset, setup["view"], handled)
    kernel.syscall(kernel.LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _fill(ruleset: int, view: "Iterable[tuple[str, str]]", handled: int) -> None:
    for path, kind in view:
        # The server resolved every path; one that became a symbolic link since then opens as the link, and is
        # refused.
        place = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        rule = struct.pack("=Qi", RIGHTS[kind] & handled, place)
        kernel.syscall(kernel.LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        os.close(place)
