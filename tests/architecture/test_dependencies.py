"""Which room may use which library from outside. The floors between our own rooms are in test_floors."""

import sys
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGE, ROOT, imports, is_in, modules

SERVER = "toolcell"

#: Library → the rooms that may import it.
ROOMS = {
    "click": ("cli",),
    "google": ("contracts", "transports", "cli"),
    "grpc": ("transports", "cli", "app"),
    "grpc_health": ("transports", "cli"),
    "grpc_reflection": ("transports",),
    "grpc_status": ("transports", "cli"),
    "grpc_tools": ("contracts",),
    "protovalidate": ("contracts",),
    "sqlite3": ("store", "cli.checks"),  # what doctor checks: the library's version
    "sqlite_utils": ("store",),
    "uvloop": ("app", "cli"),
    "watchfiles": ("contracts.watch",),
}

#: Rooms that use nothing but the standard library and what stands below them.
BARE = ("model", "wire", "runtimes")


def complaints(room: str, text: str, beside: frozenset[str] = frozenset()) -> list[str]:
    """Lists what a module's imports break.

    *room* is the module's dotted name below toolcell; *beside* names the files in its folder.
    """
    found = []
    is_bare = any(is_in(room, bare) for bare in BARE)
    for name, line in imports(text):
        library = name.partition(".")[0]
        rooms = ROOMS.get(library)
        if is_in(name, f"{SERVER}.runtimes") != is_in(room, "runtimes") and library == SERVER:
            found.append(f"line {line}: {name}: runtimes and the server know nothing of each other")
        elif is_bare and library not in {*sys.stdlib_module_names, SERVER, *beside}:
            found.append(f"line {line}: {name} is not in the standard library, and {room} uses nothing else")
        elif rooms and not any(is_in(room, allowed) for allowed in rooms):
            found.append(f"line {line}: {name} belongs in {', '.join(rooms)}, not in {room}")
    return found


def rooms() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yields each of the server's modules: its room, its text, and what stands beside it."""
    for path in (ROOT / name for name in modules()):
        if path.is_relative_to(PACKAGE):
            room = path.relative_to(PACKAGE).with_suffix("")
            yield (
                ".".join(room.parts),
                path.read_text(),
                frozenset(file.stem for file in path.parent.iterdir()),
            )


def test_every_library_is_used_only_where_it_belongs() -> None:
    assert {room: found for room, text, beside in rooms() if (found := complaints(room, text, beside))} == {}


def test_every_library_has_its_rooms() -> None:
    known = {*sys.stdlib_module_names, *ROOMS, SERVER}
    used = {(room, name.partition(".")[0]) for room, text, _ in rooms() for name, _ in imports(text)}
    assert {
        (room, library) for room, library in used if library not in known and not is_in(room, "runtimes")
    } == set()


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("pipeline.trace", "import grpc"),
        ("app", "from google.protobuf import struct_pb2"),
        ("pipeline.tokens", "def f():\n    import sqlite3"),
        ("cli.tools", "from sqlite3 import connect"),
        ("wire.frames", "import orjson"),
        ("model.ids", "from click import echo"),
        ("runtimes.python.main", "from toolcell.wire import frames"),
        ("runtimes.python.main", "import requests"),
        ("cells.zygote", "import toolcell.runtimes.python.main"),
    ],
)
def test_a_library_out_of_its_room_is_noticed(room: str, statement: str) -> None:
    assert len(complaints(room, statement)) == 1


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("transports.grpc.server", "import grpc.aio"),
        ("cli.checks", "import sqlite3"),
        ("runtimes.python.main", "from toolcell.runtimes.python import cell"),
        ("wire.frames", "import json\nfrom toolcell.model import ids"),
        ("pipeline.trace", "import grpcio_is_another_word"),
    ],
)
def test_a_library_in_its_room_is_welcome(room: str, statement: str) -> None:
    assert complaints(room, statement) == []
