"""Lists and maps of one kind of value."""

from collections.abc import Callable
from typing import Any, Final

from toolcell.contracts.codec.scalars import Bulk, Read
from toolcell.contracts.codec.text import Doubled
from toolcell.contracts.codec.walk import Pair, Reject, Walk

ABSENT: Final = object()
"""Stands for no value where None is one."""


class ListShape:
    """Reads JSON arrays of one kind of value."""

    __slots__ = ("_is_plain", "_read")

    def __init__(self, read: Read, is_plain: Bulk | None) -> None:
        self._read = read
        self._is_plain = is_plain

    def read(self, value: Any, walk: Walk) -> Pair:
        """Gives the list; null items are no values, save in lists of google.protobuf.Value.

        With a rejected item there is no list for the rules to judge: its indexes would be wrong.
        """
        if type(value) is not list:
            raise Reject("WRONG_TYPE", "must be an array")
        walk.hold(len(value))
        if self._is_plain is not None and self._is_plain(value):
            return value, value
        plains, wires = [], []
        path, depth, read = walk.path, walk.depth, self._read
        level = len(path)
        for at, item in enumerate(value):
            path.append(at)
            try:
                plain, wire = read(item, walk)
            except Reject as reject:
                walk.depth = depth
                walk.add((), reject.rule, reject.sentence)
            else:
                plains.append(plain)
                wires.append(wire)
            del path[level:]
        return plains, (wires if len(wires) == len(value) else ABSENT)


class MapShape:
    """Reads JSON objects that stand for maps."""

    __slots__ = ("_read", "_read_key")

    def __init__(self, read_key: Callable[[str, Walk], tuple[str, Any]], read: Read) -> None:
        self._read_key = read_key
        self._read = read

    def read(self, value: Any, walk: Walk) -> Pair:
        """Gives the map with its keys in canonical form."""
        if not isinstance(value, dict):
            raise Reject("WRONG_TYPE", "must be an object")
        walk.hold(len(value))
        for name in value.names if type(value) is Doubled else ():
            walk.add(((name,),), "DUPLICATE_KEY", "stands twice in the object")
        plains: dict[str, Any] = {}
        wires: dict[Any, Any] = {}
        path, level, depth = walk.path, len(walk.path), walk.depth
        for name, item in value.items():
            path.append((name,) if type(name) is str else "")
            try:
                text, key = self._read_key(name, walk)
                if text in plains:
                    raise Reject("DUPLICATE_KEY", "stands twice, written differently")
                plains[text], wires[key] = self._read(item, walk)
            except Reject as reject:
                walk.depth = depth
                walk.add((), reject.rule, reject.sentence)
            del path[level:]
        return plains, wires
