"""What `toolcell doctor` looks at: one function a concern, each returns what it found."""

import asyncio
import re
import shutil
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final

from toolcell.cli.text import size
from toolcell.config import Config

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"

LEAST_PYTHON = (3, 11)
LEAST_ROOM, GOOD_ROOM = 16 << 20, 256 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: what was looked at, the verdict, what was found, and consequence or remedy."""

    name: str
    verdict: str
    detail: str
    advice: str = ""


def python(version: tuple[int, ...]) -> Check:
    """Looks at the interpreter's version."""
    text = ".".join(map(str, version))
    if version < LEAST_PYTHON:
        return Check("python", FAIL, text, "install Python 3.11 or newer and set up again")
    return Check("python", OK, text)


def libraries() -> list[Check]:
    """Looks at every library that the package declares, and whether the generated code loads with them."""
    missing, versions = [], {}
    for requirement in metadata.requires("toolcell") or ():
        match = re.match(r"[\w.-]+", requirement)
        if match is None or "extra ==" in requirement or "win32" in requirement:
            continue
        try:
            versions[match[0]] = metadata.version(match[0])
        except metadata.PackageNotFoundError:
            missing.append(match[0])
    if missing:
        return [
            Check(
                "libraries", FAIL, f"missing: {', '.join(missing)}", "install toolcell anew: ./dev sets it up"
            )
        ]
    try:
        from toolcell.v1 import tool_service_pb2_grpc  # noqa: F401 # it checks the versions of protobuf and grpcio
    except (ImportError, RuntimeError, TypeError) as error:
        return [
            Check(
                "libraries",
                FAIL,
                str(error),
                "bring grpcio and protobuf to the versions of requirements.lock",
            )
        ]
    named = ", ".join(f"{name} {versions[name]}" for name in ("grpcio", "protobuf", "protovalidate"))
    return [Check("libraries", OK, named)]


def kernel(required: int) -> list[Check]:
    """Looks at each kernel feature that cells are made of, and at the isolation level they add up to."""
    from toolcell.cells import containment

    found = [
        Check(
            "kernel",
            OK if feature.present else WARN,
            f"{feature.name}: {feature.detail}",
            "" if feature.present else feature.consequence,
        )
        for feature in containment.probe()
    ]
    level = containment.highest_level()
    if level < required:
        advice = f"the server needs level {required}: see the kernel lines above, and README.md on isolation"
        return [*found, Check("isolation", FAIL, f"level {level}", advice)]
    return [*found, Check("isolation", OK, f"level {level}")]


def database(directory: Path) -> list[Check]:
    """Looks at the SQLite library and at the database of a state folder, also while a server has it open."""
    from toolcell.store.interface import StoreUnusable
    from toolcell.store.report import report

    try:
        found = report(directory)
    except StoreUnusable as error:
        return [Check("database", FAIL, f"{error.where}: {error.message}", error.remedy)]
    advice = "before 3.51.3 two programs that write one database can damage it: let only the server write"
    library = Check("sqlite", OK if found.is_sqlite_fixed else WARN, found.sqlite_version)
    if not found.is_sqlite_fixed:
        library = replace(library, advice=advice)
    detail = (
        f"{found.path}, {size(found.size_bytes)}, schema {found.schema}" if found.schema else "not made yet"
    )
    return [library, Check("database", OK, detail)]


def state(directory: Path) -> list[Check]:
    """Looks at who may read the state folder and the key in it."""
    if not directory.is_dir():
        return [Check("state", OK, f"{directory} is made at the first start")]
    keys = private_files(directory / name for name in ("dev.key", "address"))
    return [_private(directory, "state", "700"), *keys]


def disk(directory: Path) -> Check:
    """Looks how much room there is where records are kept."""
    there = next(
        folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.is_dir()
    )
    free = shutil.disk_usage(there).free
    detail = f"{size(free)} free where {directory} lies"
    if free < LEAST_ROOM:
        return Check("disk", FAIL, detail, "make room there: without it calls are refused with STORE_FULL")
    if free < GOOD_ROOM:
        return Check("disk", WARN, detail, "calls are refused once it is full: make room there soon")
    return Check("disk", OK, detail)


def private_files(paths: Iterable[Path | None]) -> list[Check]:
    """Looks at files that nobody else may read; those not named or not there are passed over."""
    return [_private(path, "key file", "600") for path in paths if path is not None and path.exists()]


def port(listen: str, directory: Path) -> Check:
    """Looks whether a server answers where one would listen, or whether the port is free."""
    address = _serving(directory)
    if address:
        return Check("port", OK, f"{address}: a dev server is serving there")
    host, _, number = listen.rpartition(":")
    host = host.strip("[]")
    if number == "0":
        return Check("port", OK, "any free one")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(number)))
        except OSError as error:
            advice = (
                "`toolcell dev` takes another port, `toolcell serve` does not start: choose one with --grpc"
            )
            return Check("port", WARN, f"{listen}: {error.strerror}", advice)
    return Check("port", OK, f"{listen} is free")


def workspace(settings: Config) -> list[Check]:
    """Reads every contract and policy as a server would, and reports what it would not serve."""
    from toolcell.cells import containment
    from toolcell.contracts.catalog import Catalog

    for folder in (settings.protos, settings.handlers):
        if not folder.is_dir():
            return [
                Check(
                    "workspace",
                    WARN,
                    f"there is no folder {folder}",
                    "no tool is served: start in a workspace",
                )
            ]
    level = containment.highest_level()
    catalog = Catalog(settings.protos, settings.handlers, ceiling=settings.ceiling, isolation_level=level)
    asyncio.run(catalog.load())
    snapshot = catalog.snapshot
    served = [name for name, entry in snapshot.entries.items() if entry.tool.unavailable is None]
    found = [
        Check(
            "tools",
            OK if served else WARN,
            ", ".join(served) or "none",
            "" if served else "write a contract and a handler",
        )
    ]
    for problem in snapshot.problems:
        place = f"{problem.where}: " if problem.where else ""
        what = f"{problem.tool or 'file'}: {problem.cause}: {place}{problem.message}"
        found.append(Check("tools", FAIL, what, problem.remedy))
    return found


def _private(path: Path, name: str, mode: str) -> Check:
    bits = stat.S_IMODE(path.stat().st_mode)
    if bits & 0o077:
        return Check(name, FAIL, f"{path} has mode {bits:o}: others may read it", f"chmod {mode} {path}")
    return Check(name, OK, f"{path}, mode {bits:o}")


def _serving(directory: Path) -> str:
    """Returns the address of the dev server whose state this is, if something listens there; else ""."""
    try:
        address = (directory / "address").read_text("ascii").strip()
        host, _, number = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(number)), timeout=1).close()
    except (OSError, ValueError):
        return ""
    return address
