"""A copy of the workspace, a real dev server in it, and the real command line beside it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
READY = "Ctrl-C stops it"


def copy_workspace(folder: Path) -> Path:
    """Copies contracts, handlers and clients, and makes the customers' database."""
    ignored = shutil.ignore_patterns("__pycache__", "customers.db", "node_modules", "gen")
    for name in ("protos", "handlers", "clients"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    subprocess.run([sys.executable, folder / "handlers/search_customer/seed.py"], check=True)
    return folder


def environment(**more: str) -> dict[str, str]:
    """Returns the environment without our settings, and with this interpreter's programs first on PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOOLCELL_")}
    return kept | {"PATH": f"{PROGRAMS}{os.pathsep}{kept['PATH']}", "PYTHONUNBUFFERED": "1"} | more


class Server:
    """A server process: ready when constructed, drained and waited for when the context ends."""

    def __init__(self, command: list[str], folder: Path, *, ready: str = READY, **variables: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._said = threading.Condition()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(ready,))
        self._reader.start()
        self._ready.wait()
        if self._process.poll() is not None:
            self._reader.join()
            raise AssertionError(f"{command} ended with {self._process.returncode}:\n" + "".join(self.lines))

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @classmethod
    def dev(cls, folder: Path, *options: str, **variables: str) -> Self:
        """Starts `toolcell dev` on a free port."""
        command = [str(PROGRAMS / "toolcell"), "dev", "--grpc", "127.0.0.1:0", *options]
        return cls(command, folder, **variables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self, ready: str) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for line in output:
                with self._said:
                    self.lines.append(line)
                    self._said.notify_all()
                if ready in line:
                    self._ready.set()
        self._process.wait()
        self._ready.set()

    def line_with(self, text: str, after: int = 0) -> str:
        """Waits until the server printed a line with a text, beyond its first `after` lines; returns it."""
        found: list[str] = []

        def is_said() -> bool:
            found[:] = [line for line in self.lines[after:] if text in line]
            return bool(found)

        with self._said:
            if not self._said.wait_for(is_said, timeout=30):
                raise AssertionError(f"no line with {text!r} in:\n" + "".join(self.lines))
        return found[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal, waits for the end, and returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait()
        self._reader.join()
        return code

    def toolcell(self, *words: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the command line in the workspace, off a terminal."""
        return run_toolcell(self.folder, *words, stdin=stdin, **variables)

    def output(self, *words: str, **variables: str) -> str:
        """Returns what a command that must succeed says on stdout; on stderr it must say nothing."""
        done = self.toolcell(*words, **variables)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


def run_toolcell(
    folder: Path, *words: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a folder, off a terminal."""
    return subprocess.run(
        [PROGRAMS / "toolcell", *words],
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
