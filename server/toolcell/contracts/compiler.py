"""Compiles a workspace's contracts with protoc, in a limited process; a broken file takes no other down."""

import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from toolcell.contracts import bundled
from toolcell.contracts.sources import VENDOR, Broken, Sources
from toolcell.model.tool import MIB

_PROGRAM: Final = Path(__file__).with_name("protoc.py")
_SECONDS: Final = 30.0
_LIMITS: Final = {
    "RLIMIT_CPU": 30,
    "RLIMIT_AS": 1024 * MIB,
    "RLIMIT_FSIZE": 256 * MIB,
    "RLIMIT_NOFILE": 64,
    "RLIMIT_CORE": 0,
}
_PLACE: Final = re.compile(r"(?P<file>[^:\n]+):(?:(?P<line>\d+):(?P<column>\d+):)? (?P<message>[^\n]+)")
_TWICE: Final = re.compile(r'is already defined in file "([^"]+)"')
_SHADOWED: Final = "Input is shadowed in the --proto_path"
_IMPORT: Final = re.compile(r'Import "([^"]+)" was not found or had errors')
_LONGEST: Final = 500  # characters of a message
_REMEDY: Final = "Correct the file, then reload."
_IMPORT_REMEDY: Final = (
    "Correct the imported file, or its path: imports are relative to the protos root or vendor/."
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Every file that compiled, imports before importers and with source info, and what did not compile."""

    files: tuple[FileDescriptorProto, ...]
    contracts: frozenset[str]
    broken: tuple[Broken, ...]


class _ProcessError(Exception):
    """The compiling process ran into a limit or died; says which in words."""


def compile_sources(sources: Sources) -> Compiled:
    """Compiles the contracts: one process in the good case, at most 30 s in any.

    Never raises for what the files hold. A file that kills the compiler is found by halving.
    """
    broken: dict[str, Broken] = {}
    names = list(sources.names)
    until = time.monotonic() + _SECONDS
    with tempfile.TemporaryDirectory(prefix="toolcell-protoc-") as folder:
        out = Path(folder) / "contracts.binpb"
        while names:
            try:
                broken |= _run(sources.root, names, out, until)
                break
            except _ProcessError as failed:
                guilty = _guilty(sources.root, names, out, until)
                message = f"stops the compiler: {failed}"
                broken |= {name: Broken(name, message, "Simplify or remove the file.") for name in guilty}
                names = [name for name in names if name not in guilty]
        files = FileDescriptorSet.FromString(out.read_bytes()).file if out.exists() else ()
    good = frozenset(name for name in names if name not in broken)
    return Compiled(tuple(files), good, tuple(broken[name] for name in sorted(broken)))


def _guilty(root: Path, names: list[str], out: Path, until: float) -> list[str]:
    """Returns the files that kill the compiler; all that are left when time runs out."""
    if len(names) == 1 or time.monotonic() > until:
        return names
    half = len(names) // 2
    guilty = []
    for part in (names[:half], names[half:]):
        try:
            _run(root, part, out, until)
        except _ProcessError:
            guilty += _guilty(root, part, out, until)
    return guilty or names  # together they are too much


def _run(root: Path, names: list[str], out: Path, until: float) -> dict[str, Broken]:
    out.unlink(missing_ok=True)
    vendor = [f"-I{VENDOR}"] if (root / VENDOR).is_dir() else []
    order = {
        "limits": _LIMITS,
        "root": str(root.resolve()),
        "includes": [*bundled.includes(), "-I.", *vendor],
        "names": names,
        "out": str(out),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_PROGRAM)],
            input=json.dumps(order).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=max(until - time.monotonic(), 0.1),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _ProcessError(f"it took longer than {_SECONDS:g} s") from None
    if done.returncode != 0:
        raise _ProcessError(f"it ended with status {done.returncode} (too large for its limits?)")
    said: dict[str, str] = json.loads(done.stdout)["broken"]
    return _both_sides({name: _explain(name, text) for name, text in said.items()}, names)


def _explain(name: str, said: str) -> Broken:
    """Turns what protoc said about a file into its first complaint within that file."""
    found = sorted(
        (int(match["line"] or 0), int(match["column"] or 0), match["message"])
        for match in _PLACE.finditer(said)
        if match["file"] == name and not match["message"].startswith("warning:")
    )
    line, column, message = found[0] if found else (0, 0, said.strip().splitlines()[0])
    if _SHADOWED in message:  # protoc names a path of this machine
        return Broken(name, "has the path of a file that comes with Toolcell", "Move it to another folder.")
    remedy = _IMPORT_REMEDY if _IMPORT.search(message) else _REMEDY
    return Broken(name, message[:_LONGEST], remedy, line, column)


def _both_sides(broken: dict[str, Broken], names: list[str]) -> dict[str, Broken]:
    """Refuses both files that define one name, so that no order of loading decides which is right."""
    for wrong in list(broken.values()):
        other = _TWICE.search(wrong.message)
        if other and other[1] in names and other[1] not in broken:
            broken[other[1]] = Broken(other[1], f"defines what {wrong.where} defines too", wrong.remedy)
    return broken
