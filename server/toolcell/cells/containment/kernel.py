"""The kernel's calls that Python does not offer, through libc. Zygotes load it, so it imports little."""

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 23, 24
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP = {"x86_64": 317, "aarch64": 277}
CLOSE_RANGE = 436
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
_SET_MODE_FILTER, _GET_ACTION_AVAIL = 1, 2


def syscall(number: int, *arguments: "Any") -> int:
    """Makes a system call; integers go as longs, bytes and ctypes objects as pointers. Raises OSError."""
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = _LIBC.syscall(ctypes.c_long(number), *passed)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, value: int = 0) -> int:
    """Sets or reads an attribute of this process; raises OSError."""
    rest = (ctypes.c_ulong(0),) * 3
    result: int = _LIBC.prctl(ctypes.c_int(option), ctypes.c_ulong(value), *rest)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def close_range(first: int, last: int) -> None:
    """Closes descriptors first to last, both included; raises OSError."""
    syscall(CLOSE_RANGE, first, last, 0)


def clear_ambient_capabilities() -> None:
    """Empties the ambient set; raises OSError."""
    zero = ctypes.c_ulong(0)
    clear = ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL)
    if _LIBC.prctl(ctypes.c_int(PR_CAP_AMBIENT), clear, zero, zero, zero) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def effective_capabilities() -> int:
    """Returns this thread's effective capabilities as a bit mask."""
    header, data = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_LIBC.capget(header, data))
    return data[0] | data[3] << 32


def drop_capabilities() -> None:
    """Empties the effective, permitted and inheritable sets; raises OSError."""
    header, data = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _check(_LIBC.capset(header, data))


def seccomp_number() -> int:
    """Returns the number of seccomp(2) here; raises KeyError on an architecture without filters of ours."""
    return _SECCOMP[os.uname().machine]


class FilterProgram:
    """A seccomp filter in the form the kernel takes: `struct sock_fprog` over the instructions."""

    def __init__(self, instructions: bytes) -> None:
        self._kept = ctypes.create_string_buffer(instructions, len(instructions))
        self._program = (ctypes.c_uint64 * 2)(len(instructions) // 8, ctypes.addressof(self._kept))
        # Made beforehand: what is made in a cell costs it pages of memory of its own.
        self._arguments = (
            ctypes.c_long(seccomp_number()),
            ctypes.c_long(_SET_MODE_FILTER),
            ctypes.c_long(0),
            ctypes.byref(self._program),
        )

    def write(self, offset: int, number: int) -> None:
        """Puts a native 32-bit number into the instructions."""
        struct.pack_into("=I", self._kept, offset, number)

    def install(self) -> None:
        """Puts the filter on this thread and everything it starts, for good; raises OSError."""
        _check(_LIBC.syscall(*self._arguments))


def has_seccomp_action(action: int) -> bool:
    """Tells whether the kernel's filters know an action such as KILL_PROCESS."""
    try:
        syscall(seccomp_number(), _GET_ACTION_AVAIL, 0, ctypes.byref(ctypes.c_uint32(action)))
    except (OSError, KeyError):
        return False
    return True


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
