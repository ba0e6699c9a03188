"""The state of one walk through a JSON value, and the violations it meets."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum, auto
from typing import Any, Final

from toolcell.model.errors import Violation

MOST_VIOLATIONS: Final = 20
MOST_DEPTH: Final = 100
MOST_VALUES: Final = 1_000_000
"""Members, items and entries of one JSON value, which bounds a walk to a few seconds."""

_LONGEST_SEGMENT: Final = 64  # characters of a name that the caller chose

Pair = tuple[Any, Any]
"""A value twice: `plain` for JSON, `wire` for the message's constructor."""

Segment = str | int | tuple[str]
"""A step of a path: a field's name, an index, or in a tuple the key of a map, which the caller chose."""


class Direction(Enum):
    """Whose JSON is read: a model's arguments or a handler's answer.

    Some fields belong to one of them only (AIP-203).
    """

    INPUT = auto()
    OUTPUT = auto()


class Reject(Exception):  # noqa: N818 - what the walk does with a value
    """One value is not acceptable: the rule's id and a sentence that never repeats the value."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule
        self.sentence = sentence


class Enough(Exception):  # noqa: N818 - not an error
    """Twenty violations are found, or the value is too large: more looking would not help anybody."""


class Walk:
    """Where the walk is, how deep, and what it has found wrong.

    `is_wire` says that the value was read from a message's bytes: there an absent field without presence and
    one that is zero are the same, so neither is missing.
    """

    __slots__ = ("count", "depth", "is_wire", "path", "violations")

    def __init__(self, *, is_wire: bool = False) -> None:
        self.is_wire = is_wire
        self.path: list[Segment] = []
        self.depth = 0
        self.count = 0
        self.violations: list[Violation] = []

    def enter(self) -> None:
        """Goes one level deeper; rejects the value at level 101."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            self.depth -= 1
            raise Reject("TOO_DEEP", f"is nested more than {MOST_DEPTH} levels deep")

    def hold(self, values: int) -> None:
        """Counts the values of a container; notes a violation and raises Enough beyond a million in all."""
        self.count += values
        if self.count > MOST_VALUES:
            self.add(
                (), "TOO_LARGE", f"holds more than {MOST_VALUES:,} values, counted with what is before it"
            )
            raise Enough

    def add(self, segments: Iterable[Segment], rule: str, sentence: str) -> None:
        """Notes a violation below the present place; raises Enough at the twentieth."""
        self.violations.append(Violation(rendered((*self.path, *segments)), sentence, rule))
        if len(self.violations) >= MOST_VIOLATIONS:
            raise Enough


def rendered(path: Iterable[Segment]) -> str:
    """Writes a path as `items[2].labels["a"]`."""
    text = ""
    for segment in path:
        if isinstance(segment, str):
            text += f".{segment}" if text else segment
        else:
            text += f"[{segment if isinstance(segment, int) else quoted(segment[0])}]"
    return text


def quoted(key: str) -> str:
    """Quotes a key that the caller chose, cut at 64 characters and free of control characters."""
    return '"' + printable(key) + '"'


def printable(name: str) -> str:
    """Cuts a name that the caller chose at 64 characters and leaves out what does not print."""
    return "".join(char if char.isprintable() else "?" for char in name[:_LONGEST_SEGMENT])


def hint(name: str, known: Iterable[str]) -> str:
    """Returns "; did you mean `x`?" for a near known name, or ""."""
    near = get_close_matches(name[:_LONGEST_SEGMENT], sorted(known), 1)
    return f"; did you mean `{near[0]}`?" if near else ""
