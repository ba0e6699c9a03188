"""A tool's arguments in one form: the schema that says them, and how they become ProtoJSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor

from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.schema import Schema
from toolcell.contracts.steps import Step
from toolcell.contracts.translation import Translation

_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Arguments:
    """A JSON Schema, not to be changed; sentences on what it says more simply; what is rewritten."""

    schema: dict[str, Any]
    notes: tuple[str, ...]
    step: Step


def arguments(
    message: Descriptor, definitions: Definitions, kind: type[Schema], *, is_compact: bool = False
) -> Arguments:
    """Says a request message in a form; raises Unfit."""
    writer = kind(definitions, Direction.INPUT, is_compact=is_compact)
    schema = writer.of(message)
    step = Translation(kind.form, definitions).of(message)
    return Arguments(schema, tuple(_sentences(writer.notes)), step)


def _sentences(notes: dict[str, list[str]]) -> Iterator[str]:
    for what, fields in notes.items():
        more = len(fields) - _MOST_NAMED
        shown = ", ".join(fields[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"{shown}: {what}"
