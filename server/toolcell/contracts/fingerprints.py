"""What models are shown of each tool, kept in a file, so that an edit that changes it is noticed.

The lock holds, for each tool and dialect, the digest of the schema's meaning, and for each digest what every
field is. Descriptions are left out: their words may change. The same contracts always give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from toolcell.contracts import dialects
from toolcell.contracts.codec.text import printed
from toolcell.contracts.snapshot import Entry
from toolcell.model.tool import Cause

VERSION: Final = 1
LEFT_OUT: Final = "left out"
_DIGITS: Final = 16
_HOLDERS: Final = frozenset({"description", "properties", "required", "$defs", "propertyOrdering", "title"})
_UNKNOWN: Final = frozenset({Cause.CONTRACT_INVALID, Cause.NAME_CONFLICT})

Lock = dict[str, Any]


class LockInvalid(Exception):  # noqa: N818 - a state of the file
    """A lock file is not one of this version; says why."""


def offered(entries: Iterable[Entry]) -> list[Entry]:
    """Returns the tools whose contract is known, as if each had a handler: a model is shown the contract."""
    known = (e for e in entries if e.tool.unavailable is None or e.tool.unavailable.cause not in _UNKNOWN)
    return [Entry(replace(entry.tool, unavailable=None), entry.contract) for entry in known]


def lock(entries: Iterable[Entry]) -> Lock:
    """Takes the fingerprints of tools in every dialect."""
    forms: dict[str, dict[str, str]] = {}
    tools: dict[str, dict[str, str]] = {}
    for entry in sorted(entries, key=lambda it: it.tool.name):
        tools[entry.tool.name] = shown = {}
        for name, dialect in dialects.DIALECTS.items():
            schema, is_preferred = dialect.schema(entry.contract)
            if schema is None:
                shown[name] = LEFT_OUT
                continue
            fields = dict(_fields(schema))
            digest = hashlib.sha256(printed(fields).encode()).hexdigest()[:_DIGITS]
            forms[digest] = fields
            shown[name] = digest if is_preferred else f"{digest} without strict"
    return {"version": VERSION, "tools": tools, "forms": dict(sorted(forms.items()))}


def text(made: Lock) -> str:
    """Returns a lock as the text of its file."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def parse(content: str) -> Lock:
    """Reads a lock file; raises LockInvalid."""
    try:
        found = json.loads(content)
        if found["version"] != VERSION:
            raise LockInvalid(f"it is of version {found['version']!r}, and this Toolcell writes {VERSION}")
        digests = {word.partition(" ")[0] for tool in found["tools"].values() for word in tool.values()}
        if missing := sorted(digests - {"left"} - found["forms"].keys()):
            raise LockInvalid(f"it names forms that it does not hold, such as {missing[0]}")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LockInvalid("it is not a lock file") from None
    made: Lock = found
    return made


def changes(old: Lock, new: Lock) -> Iterator[str]:
    """Yields a sentence for everything that models are shown differently."""
    for tool in sorted(old["tools"].keys() | new["tools"].keys()):
        if tool not in new["tools"]:
            yield f"this edit removes the tool {tool}"
        elif tool not in old["tools"]:
            yield f"this edit adds the tool {tool}"
        else:
            yield from _changed(tool, old, new)


def _changed(tool: str, old: Lock, new: Lock) -> Iterator[str]:
    """Yields what changed of one tool, dialects with the same change together."""
    found: dict[str, list[str]] = {}
    before, after = old["tools"][tool], new["tools"][tool]
    for name in sorted(before.keys() & after.keys()):
        for sentence in _difference((before[name], after[name]), old["forms"], new["forms"]):
            found.setdefault(sentence, []).append(name)
    for sentence, names in found.items():
        word = "dialect" if len(names) == 1 else "dialects"
        yield f"this edit changes the {', '.join(names)} {word} of {tool}: {sentence}"


def _difference(
    pair: tuple[str, str], old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    before, after = pair
    if before == after:
        return
    if LEFT_OUT in pair:
        yield "it is left out" if after == LEFT_OUT else "it is no longer left out"
        return
    (was, _, lax_before), (now, _, lax_after) = before.partition(" "), after.partition(" ")
    if lax_before != lax_after:
        yield f"it is sent {lax_after or 'as strict again'}"
        return
    fields, others = old[was], new[now]
    for name in [*fields, *(name for name in others if name not in fields)]:
        if name not in others:
            yield f"field {name} was removed"
        elif name not in fields:
            yield f"{'required ' if others[name].startswith('required ') else ''}field {name} was added"
        elif fields[name] != others[name]:
            yield from _altered(name, fields[name], others[name])


def _altered(name: str, before: str, after: str) -> Iterator[str]:
    (was, _, kind), (now, _, other) = before.partition(" "), after.partition(" ")
    if was != now:
        yield f"field {name} became {now}"
    if kind != other:
        yield f"field {name} was {kind} and is {other}"


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields every field of a schema by its path: "required" or "optional", and what may stand in it."""
    yield from _within(schema, "")
    for name, node in schema.get("$defs", {}).items():
        yield from _within(node, f"{name}.")


def _within(node: Any, path: str) -> Iterator[tuple[str, str]]:
    required = node.get("required", ())
    for name, inner in node.get("properties", {}).items():
        kind = _bare(inner)
        without_null = _without_null(kind)
        word = "required" if name in required and kind == without_null else "optional"
        yield path + name, f"{word} {printed(without_null)}"
        yield from _within(inner, f"{path}{name}.")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _within(node[key], f"{path.removesuffix('.')}[].")
    for branch in node.get("anyOf", ()):
        yield from _within(branch, path)


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Returns a node that does not take null, which stands for absent where every property is required."""
    kinds, branches = node.get("type"), node.get("anyOf", ())
    if isinstance(kinds, list):
        return {**node, "type": next(kind for kind in kinds if kind != "null")}
    others = [branch for branch in branches if branch != {"type": "null"}]
    if len(others) == len(branches):
        return node
    rest = {name: value for name, value in node.items() if name != "anyOf"}
    return {**rest, **others[0]} if len(others) == 1 else {**rest, "anyOf": others}


def _bare(node: Any) -> Any:
    """Returns a node without its words, and without the fields that have a path of their own."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: _bare(value) for name, value in node.items() if name not in _HOLDERS}
