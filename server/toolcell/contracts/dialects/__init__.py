"""The forms in which providers want a list of tools: one file a dialect, one row here.

A dialect renders one tool at a time; a manifest is the texts with commas between them. What is rendered is
kept as long as the tool's entry lives, so a manifest of unchanged tools costs nothing.
"""

from typing import Final
from weakref import WeakKeyDictionary

from toolcell.contracts.dialects.openai_chat import OpenAiChat
from toolcell.contracts.dialects.plain import Plain
from toolcell.contracts.dialects.rendered import Dialect, Rendered, left_out
from toolcell.contracts.snapshot import Entry
from toolcell.model.errors import DialectUnknown

__all__ = ["ALIASES", "DIALECTS", "Dialect", "Rendered", "find"]


class _Remembering:
    """A dialect that renders each entry once, and leaves out what cannot be called."""

    def __init__(self, dialect: Dialect) -> None:
        self.name = dialect.name
        self._dialect = dialect
        self._rendered: WeakKeyDictionary[Entry, Rendered] = WeakKeyDictionary()

    def render(self, entry: Entry) -> Rendered:
        """Returns the tool in this dialect."""
        rendered = self._rendered.get(entry)
        if rendered is None:
            rendered = left_out(entry) or self._dialect.render(entry)
            self._rendered[entry] = rendered
        return rendered


DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: _Remembering(dialect)
    for dialect in (
        Plain(),
        OpenAiChat(),
    )
}
ALIASES: Final = {"openai": "openai-chat"}


def find(name: str) -> Dialect:
    """Returns a dialect by its name or alias; raises DialectUnknown, which lists those there are."""
    dialect = DIALECTS.get(ALIASES.get(name, name))
    if dialect is None:
        known = ", ".join(sorted({*DIALECTS, *ALIASES}))
        raise DialectUnknown(
            f"There is no dialect {name[:64]!r}. Known: {known}.", dialect=name[:64], known=known
        )
    return dialect
