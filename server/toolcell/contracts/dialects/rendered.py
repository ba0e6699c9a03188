"""What a dialect makes of a tool, and what every dialect is."""

from dataclasses import dataclass
from typing import Literal, Protocol

from toolcell.contracts.snapshot import Entry

Fit = Literal["OK", "SIMPLIFIED", "LEFT_OUT"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A tool as JSON text, and how well it fits; `notes` say what was simplified or why it is left out."""

    text: str
    fit: Fit
    notes: tuple[str, ...] = ()


class Dialect(Protocol):
    """One provider's form of a tool."""

    @property
    def name(self) -> str:
        """The name that callers ask for."""
        ...

    def render(self, entry: Entry) -> Rendered:
        """Returns an available tool in this dialect: always the same bytes for the same entry."""
        ...


def left_out(entry: Entry) -> Rendered | None:
    """Returns the verdict on a tool that cannot be called in any dialect, None for one that can."""
    why = entry.tool.unavailable
    return None if why is None else Rendered("", "LEFT_OUT", (f"{why.cause}: {why.message}",))
