"""The forms in which providers want tools, send calls and want results: one file a provider, one row here.

A dialect renders one tool at a time; a manifest is the texts with commas between them. What is rendered is
kept as long as the tool's entry lives, so a manifest of unchanged tools costs nothing.
"""

from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from toolcell.contracts.dialects import anthropic, gemini, mcp, openai, plain
from toolcell.contracts.dialects.limits import total
from toolcell.contracts.dialects.rendered import Dialect, Rendered
from toolcell.contracts.snapshot import Entry
from toolcell.model.errors import DialectUnknown

__all__ = ["ALIASES", "DIALECTS", "Dialect", "Rendered", "broken_limits", "find", "render"]

DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for provider in (plain, mcp, openai, anthropic, gemini)
    for dialect in provider.DIALECTS
}
ALIASES: Final = {"openai": "openai-chat"}
_RENDERED: Final[dict[tuple[str, bool], WeakKeyDictionary[Entry, Rendered]]] = {
    (name, is_compact): WeakKeyDictionary() for name in DIALECTS for is_compact in (False, True)
}


def find(name: str) -> Dialect:
    """Returns a dialect by its name or alias; raises DialectUnknown, which lists those there are."""
    dialect = DIALECTS.get(ALIASES.get(name, name))
    if dialect is None:
        known = ", ".join(sorted({*DIALECTS, *ALIASES}))
        raise DialectUnknown(
            f"There is no dialect {name[:64]!r}. Known: {known}.", dialect=name[:64], known=known
        )
    return dialect


def render(dialect: Dialect, entry: Entry, *, is_compact: bool = False) -> Rendered:
    """Returns a tool in a dialect, rendered once."""
    kept = _RENDERED[dialect.name, is_compact]
    rendered = kept.get(entry)
    if rendered is None:
        rendered = kept[entry] = dialect.render(entry, is_compact=is_compact)
    return rendered


def broken_limits(dialect: Dialect, rendered: Iterable[Rendered]) -> list[str]:
    """Returns a sentence for each limit of the provider that one request with these tools would break."""
    size = total(each.size for each in rendered if each.text)
    return [f"one request with all these tools: {sentence}" for sentence in dialect.limits.broken(size)]
