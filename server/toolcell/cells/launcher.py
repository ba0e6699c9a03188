"""Confines itself, then is the zygote of one tool: `python -I -S launcher.py CONTROL`, run by cells/zygote.

Trusted until it imports the handler. It speaks the control conversation (wire/conversation) on the socket
whose number it is given, and knows nothing of languages: a runtime (runtimes/<language>/program) imports the
handler and runs the calls.
"""

import array
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_CONTROL = 3
_SETUP_BYTES, _SPAWN_BYTES = 1 << 18, 1 << 12
_LAST_DESCRIPTOR = (1 << 31) - 1
_SPAWN_DESCRIPTORS = 3
_LENGTH = struct.Struct(">I")
_CELL_REFUSED = 97  # a cell's exit status when its confinement failed


def main() -> "NoReturn":
    """Takes the setup, confines, imports, then makes cells until the server closes the control socket."""
    given = int(sys.argv[1])
    if given != _CONTROL:
        os.dup2(given, _CONTROL)
    control = Control(socket.socket(fileno=_CONTROL))
    setup, _ = control.receive(_SETUP_BYTES)
    containment, runtime = _load(setup["runtime"])
    try:
        containment.confine(setup)
    except containment.ConfinementError as error:
        control.send("launch_failed", step=error.step, message=str(error.cause))
        os._exit(1)
    _forget("toolcell")
    program = _prepare(control, runtime, setup)
    Zygote(control, program, lambda: containment.confine_cell(setup)).serve()


def _load(runtime: str) -> "tuple[Any, Any]":
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.insert(0, root)
    containment = importlib.import_module("toolcell.cells.containment")
    program = importlib.import_module(f"toolcell.runtimes.{runtime}.program")
    sys.path.remove(root)
    return containment, program


def _forget(package: str) -> None:
    """Drops our modules by name, so that a handler's `import toolcell` finds what the runtime offers."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _prepare(control: "Control", runtime: "Any", setup: "dict[str, Any]") -> "Any":
    setup["zygote"] = os.getpid()
    try:
        program = runtime.prepare(setup)
    except BaseException as error:  # noqa: BLE001 - whatever an import raises, even SystemExit, is told
        control.send("import_failed", **runtime.describe_import(error))
        os._exit(1)
    if _has_threads():
        control.send("threaded")
        os._exit(1)
    control.send("started")
    return program


def _has_threads() -> bool:
    """Tells whether other threads run here, native ones too: /proc cannot be opened now, but looked at."""
    try:
        return os.stat("/proc/self/task").st_nlink > 2 + 1
    except OSError:
        threading = sys.modules.get("threading")
        return threading is not None and threading.active_count() > 1


class Control:
    """The zygote's end of the control conversation: one frame a message, descriptors beside it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self, size: int) -> "tuple[dict[str, Any], list[int]]":
        """Returns the next frame, of at most `size` bytes, and its descriptors; exits without a server."""
        space = socket.CMSG_SPACE(_SPAWN_DESCRIPTORS * 4)
        message, ancillary, _, _ = self._connection.recvmsg(size, space)
        if not message:
            os._exit(0)
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        return json.loads(message[_LENGTH.size :]), list(descriptors)

    def send(self, kind: str, descriptor: "int | None" = None, **fields: object) -> None:
        """Sends a frame, with a descriptor if there is one; ends the process when the server is gone."""
        payload = json.dumps({"kind": kind, **fields}).encode()
        rights = (
            []
            if descriptor is None
            else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        )
        try:
            self._connection.sendmsg([_LENGTH.pack(len(payload)), payload], rights)
        except BrokenPipeError:
            os._exit(0)


class Zygote:
    """Forks a cell for each `spawn` and tells how each one ended."""

    def __init__(self, control: Control, program: "Any", confine: "Callable[[], None]") -> None:
        self._control = control
        self._program = program
        self._confine = confine
        self._poll = select.epoll()
        self._poll.register(_CONTROL, select.EPOLLIN)
        self._cells: dict[int, tuple[int, int]] = {}  # pidfd → serial, process id

    def serve(self) -> "NoReturn":
        """Waits for spawns and deaths, for ever."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == _CONTROL:
                    frame, descriptors = self._control.receive(_SPAWN_BYTES)
                    self._spawn(frame["serial"], descriptors)
                else:
                    self._reap(descriptor)

    def _spawn(self, serial: int, descriptors: "list[int]") -> None:
        try:
            child = os.fork()
        except OSError as error:
            for descriptor in descriptors:
                os.close(descriptor)
            self._control.send("not_spawned", serial=serial, message=str(error))
            return
        if child == 0:
            self._become_cell(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(child)
        self._cells[pidfd] = serial, child
        self._control.send("spawned", pidfd, serial=serial)
        self._poll.register(pidfd, select.EPOLLIN)

    def _become_cell(self, descriptors: "list[int]") -> "NoReturn":
        try:
            channel, stdout, stderr = descriptors
            for given, wanted in ((stdout, 1), (stderr, 2), (channel, _CONTROL)):
                os.dup2(given, wanted, inheritable=False)
            os.closerange(_CONTROL + 1, _LAST_DESCRIPTOR)
            self._confine()
            self._program.run()
        except BaseException as error:  # noqa: BLE001 - a cell never returns into the zygote's loop
            os.write(2, f"{error}\n".encode())
        os._exit(_CELL_REFUSED)

    def _reap(self, pidfd: int) -> None:
        self._poll.unregister(pidfd)
        os.close(pidfd)
        serial, process = self._cells.pop(pidfd)
        ended, died_by, microseconds, peak = -1, 0, 0, 0
        try:
            _, status, used = os.wait4(process, 0)
        except ChildProcessError:
            pass  # a handler made the kernel wait for its children
        else:
            code = os.waitstatus_to_exitcode(status)
            ended, died_by = (code, 0) if code >= 0 else (-1, -code)
            microseconds, peak = round((used.ru_utime + used.ru_stime) * 1e6), used.ru_maxrss * 1024
        told = {"exit": ended, "signal": died_by, "cpu_microseconds": microseconds, "memory_peak_bytes": peak}
        self._control.send("exited", serial=serial, **told)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
