"""How a dialect's arguments differ from ProtoJSON: a row that schemas are written and undone by."""

from dataclasses import dataclass
from typing import Final, Literal

from toolcell.contracts import nodes
from toolcell.contracts.codec.wellknown import ANY, PREFIX, VALUE

STRUCT: Final = f"{PREFIX}Struct"
LIST_VALUE: Final = f"{PREFIX}ListValue"
UNTYPED: Final = {
    STRUCT: "A JSON object",
    VALUE: "Any JSON value",
    LIST_VALUE: "A JSON array",
    ANY: 'Any message as a JSON object: its fields, and its type\'s name in "@type"',
}
"""Types whose JSON has no fixed form, and what a model is told of them."""

FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a dialect can say, and what it says differently.

    `keywords` and `formats` are those it takes: a constraint with another becomes a sentence. `texts` names
    types that travel as a string of JSON. `has_pairs`: a map is an array of {key, value}. `has_choices`: a
    oneof is one property that holds one of its members. `has_nulls`: every property is required, null stands
    for absent. `reference` says what may stand beside a $ref: anything, nothing unless it is wrapped in
    anyOf, or nothing. `levels`: messages are written in place, and below so many levels of the same one
    comes a string of JSON; 0 means references. An enum of more than `most_values` is told in words.
    """

    keywords: frozenset[str] = frozenset(nodes.KEYWORDS)
    formats: frozenset[str] = FORMATS
    texts: frozenset[str] = frozenset()
    has_pairs: bool = False
    has_choices: bool = False
    has_nulls: bool = False
    has_null_type: bool = True
    has_recursion: bool = True
    reference: Literal["beside", "wrapped", "bare"] = "beside"
    levels: int = 0
    most_values: int = 1 << 31

    @property
    def is_plain(self) -> bool:
        """Tells whether arguments in this form are ProtoJSON as they are."""
        return not (self.texts or self.has_pairs or self.has_choices or self.has_nulls or self.levels)


PLAIN: Final = Form()
"""ProtoJSON itself."""


class Unfit(Exception):  # noqa: N818 - a state of the contract, not a fault
    """A message cannot be said in a form; the text says why."""
