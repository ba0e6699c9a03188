"""Regular expressions that mean the same in RE2 (rules) and in ECMA-262 (schemas)."""

import re
from typing import Final

_UNLIKE: Final = re.compile(
    r"\(\?(?!:)"  # flags, names, lookaround
    r"|\\[^dDwWtnrfv0.*+?^$()\[\]{}|\\/-]"  # escapes that one has not, or reads otherwise: \s \b \p \A
    r"|\[\[:"  # POSIX classes
    r"|[*+?}]\+"  # possessive in some engines
    r"|\[\^?\]"  # a bracket first in a class
)
_SPECIAL: Final = re.compile(r"[\\^$.*+?()\[\]{}|/]")


def portable(pattern: str) -> bool:
    """Tells whether a pattern can be given to a model's provider as it is."""
    if _UNLIKE.search(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def escaped(text: str) -> str:
    """Returns a pattern that finds the text itself."""
    return _SPECIAL.sub(r"\\\g<0>", text)
