"""How large a schema is, and how large providers let one schema, and all of a request, be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Size:
    """What providers count. `strict_tools`, `optional` and `unions` count in strict schemas only.

    `depth` counts levels of objects in one definition, without following references; `characters` are those
    of names and enum values; `enum_characters` are those of the largest enum with more than 250 values.
    """

    tools: int = 0
    strict_tools: int = 0
    properties: int = 0
    depth: int = 0
    characters: int = 0
    enum_values: int = 0
    enum_characters: int = 0
    optional: int = 0
    unions: int = 0


NOTHING: Final = Size()
_LARGEST: Final = frozenset({"depth", "enum_characters"})
_WORDS: Final = {
    "tools": "tools",
    "strict_tools": "strict tools",
    "properties": "properties",
    "depth": "levels of objects",
    "characters": "characters in names and enum values",
    "enum_values": "enum values",
    "enum_characters": "characters in one enum of more than 250 values",
    "optional": "optional properties in strict tools",
    "unions": "properties with alternatives in strict tools",
}
_LARGE_ENUM: Final = 250


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each count; what is not named has no limit."""

    most: tuple[tuple[str, int], ...] = ()

    def broken(self, size: Size) -> list[str]:
        """Returns a sentence for each limit that a size exceeds."""
        return [
            f"it has {getattr(size, name):,} {_WORDS[name]}, at most {most:,} are taken"
            for name, most in self.most
            if getattr(size, name) > most
        ]


NO_LIMITS: Final = Limits()


def total(sizes: Iterable[Size]) -> Size:
    """Adds up the sizes of a request's tools."""
    every = list(sizes)
    return Size(
        **{
            field.name: (max if field.name in _LARGEST else sum)(
                [0, *(getattr(size, field.name) for size in every)]
            )
            for field in fields(Size)
        }
    )


def measure(schema: dict[str, Any], *, is_strict: bool = True) -> Size:
    """Measures one tool's schema."""
    count = _Count()
    for part in (schema, *schema.get("$defs", {}).values()):
        count.node(part, 0)
    count.characters += sum(map(len, schema.get("$defs", {})))
    return Size(
        tools=1,
        strict_tools=int(is_strict),
        properties=count.properties,
        depth=count.depth,
        characters=count.characters,
        enum_values=count.enum_values,
        enum_characters=count.enum_characters,
        optional=_optional(schema) if is_strict else 0,
        unions=_unions(schema) if is_strict else 0,
    )


class _Count:
    def __init__(self) -> None:
        self.properties = self.depth = self.characters = self.enum_values = self.enum_characters = 0

    def node(self, node: Any, level: int) -> None:
        """Counts a node and what it holds; does not follow references, as providers do not."""
        properties = node.get("properties", {})
        level += "properties" in node
        self.depth = max(self.depth, level)
        self.properties += len(properties)
        self.characters += sum(map(len, properties))
        values = [value for value in node.get("enum", ()) if isinstance(value, str)]
        length = sum(map(len, values))
        self.characters += length
        self.enum_values += len(node.get("enum", ()))
        if len(values) > _LARGE_ENUM:
            self.enum_characters = max(self.enum_characters, length)
        for inner in _inner(node):
            self.node(inner, level)


def _inner(node: Any) -> Iterator[Any]:
    yield from node.get("properties", {}).values()
    yield from node.get("anyOf", ())
    for name in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(name), dict):
            yield node[name]


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for inner in _inner(node):
        yield from _nodes(inner)


def _optional(schema: Any) -> int:
    """Counts properties that are not required, reached without following references."""
    return sum(
        len(node.get("properties", {}).keys() - set(node.get("required", ()))) for node in _nodes(schema)
    )


def _unions(schema: Any) -> int:
    """Counts properties with alternatives, reached without following references."""
    properties = (inner for node in _nodes(schema) for inner in node.get("properties", {}).values())
    return sum("anyOf" in inner or isinstance(inner.get("type"), list) for inner in properties)
