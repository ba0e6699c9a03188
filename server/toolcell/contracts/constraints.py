"""protovalidate's rules as JSON Schema keywords where one means the same, and as sentences where none does.

The server always checks the rules themselves; a schema only helps a model to get them right the first time.
"""

import json
import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from toolcell.contracts.codec.scalars import shortest
from toolcell.contracts.patterns import escaped, portable


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule: its sentence, and the keywords that say the same, or only part of it (`is_partial`)."""

    sentence: str
    keywords: Mapping[str, Any] = field(default_factory=dict)
    is_partial: bool = False


def of_field(rules: Any) -> Iterator[Constraint]:
    """Yields the constraints that field rules put on a single value, a list, or a map as a whole."""
    kind = rules.WhichOneof("type")
    if kind is not None:
        yield from _KINDS.get(kind, _numbers)(getattr(rules, kind))
    yield from of_cel(rules)


def of_message(rules: Any) -> Iterator[Constraint]:
    """Yields the constraints that message rules put on an object as a whole."""
    yield from of_cel(rules)
    for oneof in rules.oneof:
        count = "exactly" if oneof.required else "at most"
        yield Constraint(f"Set {count} one of: {', '.join(oneof.fields)}.")


def of_cel(rules: Any) -> Iterator[Constraint]:
    """Yields the sentences of custom CEL rules."""
    for rule in rules.cel:
        yield Constraint(_sentence(rule.message or f"Must satisfy {rule.expression}"))
    for expression in getattr(rules, "cel_expression", ()):
        yield Constraint(f"Must satisfy {expression}.")


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def _has(rules: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """Yields the set ones of the named rules.

    A rule that this version of protovalidate has not is not set.
    """
    known = rules.DESCRIPTOR.fields_by_name
    for name in names:
        if name in known and (len(getattr(rules, name)) if known[name].is_repeated else rules.HasField(name)):
            yield name, getattr(rules, name)


def _listed(values: Any) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


# ── strings and bytes ───────────────────────────────────────────────────────────────────────────────────────

_FORMATS: Final = {
    "email": "email",
    "hostname": "hostname",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "uuid": "uuid",
    "uri": "uri",
}
_FORM_PATTERNS: Final = {
    "tuuid": "^[0-9a-fA-F]{32}$",
    "ulid": "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$",
}


def _strings(rules: Any) -> Iterator[Constraint]:
    for _, value in _has(rules, "const"):
        yield Constraint(f"Must be {_listed([value])}.", {"enum": [value]})
    for _, values in _has(rules, "in"):
        yield Constraint(f"One of: {_listed(values)}.", {"enum": list(values)})
    for _, values in _has(rules, "not_in"):
        yield Constraint(f"None of: {_listed(values)}.")
    for _, n in _has(rules, "len"):
        yield Constraint(f"Exactly {n} characters.", {"minLength": n, "maxLength": n})
    for _, n in _has(rules, "min_len"):
        yield Constraint(f"At least {n} characters.", {"minLength": n})
    for _, n in _has(rules, "max_len"):
        yield Constraint(f"At most {n} characters.", {"maxLength": n})
    for _, n in _has(rules, "len_bytes"):
        yield Constraint(f"Exactly {n} bytes in UTF-8.", {"maxLength": n}, is_partial=True)
    for _, n in _has(rules, "min_bytes"):
        yield Constraint(f"At least {n} bytes in UTF-8.")
    for _, n in _has(rules, "max_bytes"):
        yield Constraint(f"At most {n} bytes in UTF-8.", {"maxLength": n}, is_partial=True)
    yield from _patterns(rules)
    yield from _forms(rules)
    yield from _examples(rules, str)


def _patterns(rules: Any) -> Iterator[Constraint]:
    for _, pattern in _has(rules, "pattern"):
        keywords = {"pattern": pattern} if portable(pattern) else {}
        yield Constraint(f"Must match the RE2 pattern {pattern}", keywords)
    for _, text in _has(rules, "prefix"):
        yield Constraint(f"Must begin with {_listed([text])}.", {"pattern": f"^{escaped(text)}"})
    for _, text in _has(rules, "suffix"):
        yield Constraint(f"Must end with {_listed([text])}.", {"pattern": f"{escaped(text)}$"})
    for _, text in _has(rules, "contains"):
        yield Constraint(f"Must contain {_listed([text])}.", {"pattern": escaped(text)})
    for _, text in _has(rules, "not_contains"):
        yield Constraint(f"Must not contain {_listed([text])}.")


def _forms(rules: Any) -> Iterator[Constraint]:
    form = rules.WhichOneof("well_known")
    if form is None or not getattr(rules, form):
        return
    sentence = f"Must be a valid {form.replace('_', ' ')}."
    if form in _FORMATS:
        yield Constraint(sentence, {"format": _FORMATS[form]})
    elif form in _FORM_PATTERNS:
        yield Constraint(sentence, {"pattern": _FORM_PATTERNS[form]})
    elif form != "well_known_regex":
        yield Constraint(sentence)
    else:
        yield Constraint("Must be a valid HTTP header name or value.")


def _bytes(rules: Any) -> Iterator[Constraint]:
    for _, n in _has(rules, "len", "min_len"):
        yield Constraint(f"At least {n} bytes.", {"minLength": 4 * math.ceil(n / 3)}, is_partial=True)
    for _, n in _has(rules, "len", "max_len"):
        yield Constraint(f"At most {n} bytes.", {"maxLength": 4 * math.ceil(n / 3)}, is_partial=True)
    for name, value in _has(rules, "const", "prefix", "suffix", "contains"):
        verb = {"const": "be", "prefix": "begin with", "suffix": "end with"}.get(name, name.rstrip("s"))
        yield Constraint(f"Must {verb} the bytes {b64encode(value).decode()} (base64).")
    for name, values in _has(rules, "in", "not_in"):
        shown = ", ".join(b64encode(value).decode() for value in values)
        yield Constraint(f"{'One' if name == 'in' else 'None'} of: {shown} (base64).")
    for _, pattern in _has(rules, "pattern"):
        yield Constraint(f"The bytes must match the RE2 pattern {pattern}")
    yield from _forms(rules)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────


def _numbers(rules: Any) -> Iterator[Constraint]:
    kind = rules.DESCRIPTOR.name.removesuffix("Rules")
    is_text, is_real = "64" in kind, kind in {"Float", "Double"}
    shown = shortest if kind == "Float" else lambda number: number
    for _, value in _has(rules, "const"):
        yield Constraint(f"Must be {shown(value)}.", {} if is_text else {"enum": [shown(value)]})
    for _, values in _has(rules, "in"):
        keywords = {} if is_text else {"enum": [shown(value) for value in values]}
        yield Constraint(f"One of: {', '.join(str(shown(value)) for value in values)}.", keywords)
    for _, values in _has(rules, "not_in"):
        yield Constraint(f"None of: {', '.join(str(shown(value)) for value in values)}.")
    lows = [(name == "gt", shown(value)) for name, value in _has(rules, "gt", "gte")]
    highs = [(name == "lt", shown(value)) for name, value in _has(rules, "lt", "lte")]
    yield from _bounds(lows, highs, is_text=is_text, is_real=is_real)
    yield from _examples(rules, str if is_text else shown)


def _bounds(
    lows: list[tuple[bool, Any]], highs: list[tuple[bool, Any]], *, is_text: bool, is_real: bool
) -> Iterator[Constraint]:
    low_words = [f"{'greater than' if strict else 'at least'} {value}" for strict, value in lows]
    high_words = [f"{'less than' if strict else 'at most'} {value}" for strict, value in highs]
    if (
        lows
        and highs
        and (highs[0][1] < lows[0][1] or (highs[0][1] == lows[0][1] and (lows[0][0] or highs[0][0])))
    ):
        yield Constraint(f"Must be {low_words[0]} or {high_words[0]}.")  # a range turned around means outside
        return
    for words, bounds, keyword, step in ((low_words, lows, "minimum", 1), (high_words, highs, "maximum", -1)):
        for word, (is_strict, value) in zip(words, bounds, strict=True):
            keywords = {keyword: value}
            if is_strict:
                strict_keyword = f"exclusive{keyword.capitalize()}"
                keywords = {strict_keyword: value} if is_real else {keyword: value + step}
            is_sayable = not is_text and math.isfinite(value)
            yield Constraint(f"Must be {word}.", keywords if is_sayable else {})


def _examples(rules: Any, shown: Callable[[Any], Any]) -> Iterator[Constraint]:
    for _, values in _has(rules, "example"):
        yield Constraint("", {"examples": [shown(value) for value in values]})


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────


def _bools(rules: Any) -> Iterator[Constraint]:
    for _, value in _has(rules, "const"):
        yield Constraint(f"Must be {str(value).lower()}.", {"enum": [value]})


def _enums(_rules: Any) -> Iterator[Constraint]:
    """Yields nothing: rules on enums choose among the names, which the schema does itself."""
    return iter(())


def _lists(rules: Any) -> Iterator[Constraint]:
    for _, n in _has(rules, "min_items"):
        yield Constraint(f"At least {n} items.", {"minItems": n})
    for _, n in _has(rules, "max_items"):
        yield Constraint(f"At most {n} items.", {"maxItems": n})
    if rules.unique:
        yield Constraint("Items must be unique.", {"uniqueItems": True})


def _maps(rules: Any) -> Iterator[Constraint]:
    for _, n in _has(rules, "min_pairs"):
        yield Constraint(f"At least {n} entries.", {"minProperties": n})
    for _, n in _has(rules, "max_pairs"):
        yield Constraint(f"At most {n} entries.", {"maxProperties": n})


_WORDS: Final = {
    "const": "Must be",
    "gt": "Must be greater than",
    "gte": "Must be at least",
    "lt": "Must be less than",
    "lte": "Must be at most",
    "in": "One of:",
    "not_in": "None of:",
    "within": "Must be within this time of now:",
    "lt_now": "Must be in the past",
    "gt_now": "Must be in the future",
}


def _told(rules: Any) -> Iterator[Constraint]:
    """Yields sentences for durations, timestamps, Any and field masks, which have no keywords."""
    for name, value in _has(rules, *_WORDS):
        is_many = rules.DESCRIPTOR.fields_by_name[name].is_repeated
        if value is False:
            continue
        shown = []
        if value is not True:
            shown = [_json_form(item) for item in (value if is_many else [value])]
        yield Constraint(f"{_WORDS[name]} {', '.join(shown)}".strip() + ".")


def _json_form(value: Any) -> str:
    return str(value.ToJsonString() if hasattr(value, "ToJsonString") else value)


def is_allowed(number: int, rules: Any) -> bool:
    """Tells whether an enum's rules let a value be chosen."""
    allowed = getattr(rules, "in")
    is_listed = not allowed or number in allowed
    is_constant = not rules.HasField("const") or number == rules.const
    return is_listed and is_constant and number not in rules.not_in


_KINDS: Final[dict[str, Callable[[Any], Iterator[Constraint]]]] = {
    "string": _strings,
    "bytes": _bytes,
    "bool": _bools,
    "enum": _enums,
    "repeated": _lists,
    "map": _maps,
    "duration": _told,
    "timestamp": _told,
    "any": _told,
    "field_mask": _told,
}
