"""A process by its handle: what it is signalled through, and what the kernel counted for it."""

import os
import signal
import time
from typing import Final

from toolcell.model.span import Usage

_READ_BYTES: Final = 16 * 1024
_CPU_CLOCK: Final = 2  # CPUCLOCK_SCHED in a process's clock id, see clock_getcpuclockid(3)
_GONE: Final = -1  # what fdinfo says of a process that has been waited for


class ForeignProcessError(Exception):
    """A zygote sent the handle of a process that is not its child."""


class Process:
    """A child of a zygote, held by the pidfd the zygote sent; closing it is the caller's duty."""

    def __init__(self, pidfd: int, parent: int) -> None:
        """Takes the handle over, after checking that it is that of a child of `parent`.

        Raises ForeignProcessError for anything else, and leaves the handle to the caller then. A process that
        has been waited for is nobody's child, but cannot be signalled either, so it passes.
        """
        self._pidfd = pidfd
        self._status = -1
        self._pid = _number(_read(f"/proc/self/fdinfo/{pidfd}"), b"Pid:")
        if self._pid == _GONE:
            return
        if self._pid <= 0:
            raise ForeignProcessError("not the handle of a process")
        try:
            status = os.open(f"/proc/{self._pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        # While the process lives its number is its own, and if it died since, the handle signals nobody: so
        # what has this number now cannot be hit by mistake.
        if _number(os.pread(status, _READ_BYTES, 0), b"PPid:") != parent:
            os.close(status)
            raise ForeignProcessError("the handle of a process that is not its child")
        self._status = status

    def signal(self, number: int) -> None:
        """Sends a signal; a process that is gone hears nothing."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def usage(self) -> Usage | None:
        """Returns CPU time by the process's clock and its highest resident memory; None when it is gone."""
        if self._status < 0:
            return None
        try:
            peak = _number(os.pread(self._status, _READ_BYTES, 0), b"VmHWM:")
            nanoseconds = time.clock_gettime_ns(~self._pid << 3 | _CPU_CLOCK)
        except OSError:
            return None
        return Usage(nanoseconds // 1000, peak * 1024)

    def close(self) -> None:
        """Lets go of the handle."""
        os.close(self._pidfd)
        if self._status >= 0:
            os.close(self._status)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)


def _number(text: bytes, name: bytes) -> int:
    """Finds `Name:  number` at the start of a line of a /proc file; 0 when there is no such line."""
    start = text.find(b"\n" + name)
    return int(text[start + 1 + len(name) :].split(maxsplit=1)[0]) if start >= 0 else 0
