"""Turns `-a key=value` words into the JSON arguments that a tool's input schema asks for."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

SCALARS = {"integer", "number", "boolean", "null"}
DEPTH = 100
"""As deep as a server takes arguments."""


class ArgumentError(Exception):
    """Says which word cannot become an argument."""


def typed(
    words: Iterable[str], schema: Mapping[str, Any], base: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Reads words such as `query=ada@example.com`, `address.city=Bern` or `tags=["a"]` into one JSON object.

    A field that is text takes its value verbatim; numbers, booleans, lists and objects are read as JSON, and
    a value that is not is passed on as text for the server to refuse with its reason. Dots nest; a list field
    named again gets a further element. `base` is what the words are added to. Raises ArgumentError for a word
    that cannot be placed.
    """
    found: dict[str, Any] = base if base is not None else {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or "" in name.split("."):
            raise ArgumentError(f"{word!r} is not key=value")
        if name.count(".") >= DEPTH:
            raise ArgumentError(f"{name[:40]!r}… is nested more than {DEPTH} levels deep")
        _put(found, name, text, schema)
    return found


def _put(found: dict[str, Any], name: str, text: str, schema: Mapping[str, Any]) -> None:
    *parents, last = name.split(".")
    place, node = found, schema
    for parent in parents:
        node = _member(node, parent, schema)
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ArgumentError(f"{parent!r} of {name!r} has a value already")
    node = _member(node, last, schema)
    if "array" not in _types(node, schema):
        place[last] = _value(text, _types(node, schema))
    elif isinstance(whole := _json(text), list):
        place[last] = whole
    else:
        elements = place.setdefault(last, [])
        if not isinstance(elements, list):
            raise ArgumentError(f"{name!r} has a value already")
        elements.append(_value(text, _types(_items(node, schema), schema)))


def _value(text: str, types: set[str]) -> Any:
    """Reads one value; text stays text where the schema wants text, or where it is no JSON."""
    if "string" in types and not types & {"object", "array"}:
        return text
    value = _json(text)
    if types and types <= SCALARS and isinstance(value, list | dict):
        return text
    return text if value is None and text != "null" else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _nodes(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yields a node and everything it refers to or offers as an alternative, each once."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        reference = str(node.get("$ref", ""))
        if reference.startswith("#/$defs/"):
            waiting.append(schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}))
        waiting += [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]


def _types(node: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """Returns the JSON types that a node allows; empty for any."""
    found: set[str] = set()
    for each in _nodes(node, schema):
        named = each.get("type", [])
        found |= {named} if isinstance(named, str) else set(named)
        found |= {"string"} if all(isinstance(value, str) for value in each.get("enum", [0])) else set()
    return found


def _member(node: Mapping[str, Any], name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for each in _nodes(node, schema):
        if isinstance(found := each.get("properties", {}).get(name, each.get("additionalProperties")), dict):
            return found
    return {}


def _items(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each["items"] for each in _nodes(node, schema) if isinstance(each.get("items"), dict)), {})
