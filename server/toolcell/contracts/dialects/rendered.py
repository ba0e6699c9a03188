"""What a dialect is, and what it makes of a tool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from toolcell.contracts.codec.text import printed
from toolcell.contracts.contract import Contract
from toolcell.contracts.dialects.limits import NO_LIMITS, NOTHING, Limits, Size, measure
from toolcell.contracts.dialects.turns import Turns
from toolcell.contracts.form import Unfit
from toolcell.contracts.schema import Schema
from toolcell.contracts.snapshot import Entry
from toolcell.model.tool import Tool

Fit = Literal["OK", "SIMPLIFIED", "LEFT_OUT"]

_SENTENCES: Final = (". ", ".\n", "! ", "!\n", "? ", "?\n")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A tool as JSON text, and how well it fits; `notes` say what was simplified or why it is left out."""

    text: str
    fit: Fit
    notes: tuple[str, ...] = ()
    size: Size = NOTHING


@dataclass(frozen=True, slots=True)
class View:
    """What is told of a tool; `output` is the schema of its answer, None where every byte counts."""

    tool: Tool
    description: str
    input: Mapping[str, Any]
    output: Mapping[str, Any] | None


Shape = Callable[[View], dict[str, Any]]
"""Makes the provider's form of a tool."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a dialect can say a tool: the schema's form, the shape around it, its limits."""

    kind: type[Schema]
    shape: Shape
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's form of tools, calls and results.

    The first of `variants` that a tool fits is used, always the same one for the same contract.
    `most_description` bounds a description, in characters; `limits` bounds a whole request.
    """

    name: str
    variants: tuple[Variant, ...]
    turns: Turns
    limits: Limits = NO_LIMITS
    most_description: int = 1 << 20

    def render(self, entry: Entry, *, is_compact: bool = False) -> Rendered:
        """Returns a tool in this dialect: always the same bytes for the same entry.

        A compact one has the first paragraph of its description, the first sentence of every comment, every
        sentence of a rule, and no schema of its answer.
        """
        if entry.tool.unavailable is not None:
            why = entry.tool.unavailable
            return Rendered("", "LEFT_OUT", (f"{why.cause}: {why.message}",))
        variant, reasons = self._choose(entry.contract)
        if variant is None:
            return Rendered("", "LEFT_OUT", reasons)
        said = entry.contract.said(variant.kind)
        description = cut(entry.tool.description, self.most_description)
        notes = [f"sent without strict, as {reason}" for reason in reasons] + [*said.notes]
        if description != entry.tool.description:
            long = len(entry.tool.description)
            notes.append(f"the description has {long} characters and was cut at {self.most_description}")
        view = View(entry.tool, description, said.schema, entry.contract.output_schema)
        if is_compact:
            short = description.partition("\n\n")[0]
            view = View(entry.tool, short, entry.contract.compact_schema(variant.kind), None)
        form = variant.shape(view)
        is_strict = variant.limits is not NO_LIMITS
        size = measure(said.schema, is_strict=is_strict)
        return Rendered(printed(form), "SIMPLIFIED" if notes else "OK", tuple(notes), size)

    def decode(self, contract: Contract, arguments_json: str) -> str:
        """Turns a call's arguments in this dialect into canonical ProtoJSON; raises as Contract.decode."""
        return contract.decode(arguments_json, self._kind(contract))

    def encode(self, contract: Contract, canonical_json: str) -> str:
        """Turns canonical ProtoJSON into the arguments that a model would send."""
        return contract.shown(canonical_json, self._kind(contract))

    def schema(self, contract: Contract) -> tuple[Mapping[str, Any] | None, bool]:
        """Returns the schema of a tool's arguments, None if left out, and whether in the preferred form."""
        variant, _ = self._choose(contract)
        if variant is None:
            return None, False
        return contract.said(variant.kind).schema, variant is self.variants[0]

    def _kind(self, contract: Contract) -> type[Schema]:
        """Returns the form in which a model saw a tool; ProtoJSON for a tool that it never saw."""
        variant, _ = self._choose(contract)
        return Schema if variant is None else variant.kind

    def _choose(self, contract: Contract) -> tuple[Variant | None, tuple[str, ...]]:
        """Returns the first variant that fits, and why those before it do not; looked for once a contract."""
        chosen = _CHOSEN.setdefault(contract, {})
        if self.name not in chosen:
            chosen[self.name] = self._look(contract)
        return chosen[self.name]

    def _look(self, contract: Contract) -> tuple[Variant | None, tuple[str, ...]]:
        reasons: list[str] = []
        for variant in self.variants:
            try:
                broken = variant.limits.broken(measure(contract.said(variant.kind).schema))
            except Unfit as unfit:
                broken = [str(unfit)]
            if not broken:
                return variant, tuple(reasons)
            reasons += broken
        return None, tuple(reasons)


_CHOSEN: Final[WeakKeyDictionary[Contract, dict[str, tuple[Variant | None, tuple[str, ...]]]]] = (
    WeakKeyDictionary()
)


def cut(text: str, most: int) -> str:
    """Cuts a text behind its last whole sentence, or where it must be."""
    if len(text) <= most:
        return text
    head = text[:most]
    end = max(head.rfind(mark) for mark in _SENTENCES)
    return head[: end + 1] if end > 0 else f"{head[: most - 1].rstrip()}…"
