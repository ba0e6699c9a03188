"""`gemini` (parametersJsonSchema) and `gemini-schema` (parameters): function declarations of Gemini."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.dialects.rendered import Dialect, Variant, View
from toolcell.contracts.dialects.turns import (
    Result,
    ToolCall,
    TurnInvalid,
    Turns,
    arguments_of,
    entries,
    text_of,
)
from toolcell.contracts.fields import is_map, map_entry, reachable
from toolcell.contracts.form import STRUCT, UNTYPED, Form, Unfit
from toolcell.contracts.nodes import SMALL_INTEGERS, Node, describe, first_sentence
from toolcell.contracts.schema import REFERENCE, Schema
from toolcell.contracts.translation import is_cut

_MOST_PROPERTIES: Final = 2000
"""Properties written in place before a tool is left out; without references they can multiply."""


class _Declared(Schema):
    """What both have in common: no numbers in enums, integers without the bounds of their type."""

    def _takes(self, keyword: str, value: Any) -> bool:
        is_number = keyword == "enum" and not all(isinstance(item, str) for item in value)
        return not is_number and super()._takes(keyword, value)

    def _scalar(self, kind: int) -> Node:
        node = super()._scalar(kind)
        if kind not in SMALL_INTEGERS:
            return node
        del node["maximum"]
        if node["minimum"]:
            del node["minimum"]
        return node

    def _boxed(self, node: Node) -> Node:
        return node


class JsonSchema(_Declared):
    """A JSON Schema whose references stand alone, and are required nowhere in a cycle."""

    form = Form(
        keywords=frozenset({"enum", "format", "maxItems", "maximum", "minItems", "minimum"}),
        texts=frozenset(UNTYPED) - {STRUCT},
        reference="bare",
    )

    def __init__(self, definitions: Definitions, direction: Direction, *, is_compact: bool = False) -> None:
        super().__init__(definitions, direction, is_compact=is_compact)
        self._lost: dict[str, list[str]] = {}

    def of(self, root: Descriptor) -> Node:
        """Returns the schema, the root among the definitions too when it holds itself."""
        node = super().of(root)
        defined = node.pop("$defs", {})
        if root.full_name in self._names:
            defined[self._names[root.full_name]] = dict(node)
        for name, told in self._lost.items():
            for sentence in told:
                describe(defined[name], sentence)
        if defined:
            node["$defs"] = dict(sorted(defined.items()))
        return node

    def _message(self, message: Descriptor) -> Node:
        if message.full_name != self._root:
            return super()._message(message)
        name = self._names.setdefault(self._root, self._definition_name(self._root))
        return {"$ref": REFERENCE + name}

    def _is_required(self, field: FieldDescriptor) -> bool:
        inner = map_entry(field)[1].message_type if is_map(field) else field.message_type
        owner = field.containing_type
        is_cyclic = inner is not None and owner is not None and owner.full_name in reachable(inner)
        return super()._is_required(field) and not is_cyclic

    def _described(self, node: Node, comment: str) -> Node:
        if "$ref" not in node:
            return super()._described(node, comment)
        told = " ".join(text for text in (first_sentence(comment), node.get("description", "")) if text)
        if told:
            name = node["$ref"].removeprefix(REFERENCE)
            sentence = f"As `{self._field}`: {told}"
            if sentence not in self._lost.setdefault(name, []):
                self._lost[name].append(sentence)
        return {"$ref": node["$ref"]}


class Parameters(_Declared):
    """Gemini's own Schema message: no references, every object has properties, types in capitals."""

    form = Form(
        keywords=frozenset(
            {
                "enum",
                "format",
                "maxItems",
                "maxLength",
                "maximum",
                "minItems",
                "minLength",
                "minimum",
                "pattern",
            }
        ),
        texts=frozenset(UNTYPED),
        has_pairs=True,
        has_null_type=False,
        levels=2,
    )

    def __init__(self, definitions: Definitions, direction: Direction, *, is_compact: bool = False) -> None:
        super().__init__(definitions, direction, is_compact=is_compact)
        self._around: Counter[str] = Counter()
        self._count = 0

    def of(self, root: Descriptor) -> Node:
        """Returns the schema; raises Unfit for one that grows too large without references."""
        return _capital(super().of(root))

    def _object(self, message: Descriptor) -> Node:
        self._around[message.full_name] += 1
        node = super()._object(message)
        self._around[message.full_name] -= 1
        return node

    def _message(self, message: Descriptor) -> Node:
        node = self._special(message.full_name)
        if node is not None:
            return node
        if not is_cut(self.form, message, self._around[message.full_name], self._definitions):
            return self._object(message)
        if message.fields:
            self._note("below two levels of itself sent as a string of JSON")
        shape = f"A {message.name} as a JSON object" if message.fields else "An empty JSON object, {}"
        return {"type": "string", "description": f"{shape}, as a string of JSON."}

    def _properties(self, fields: Iterable[FieldDescriptor]) -> tuple[dict[str, Node], list[str]]:
        chosen = list(fields)
        self._count += len(chosen)
        if self._count > _MOST_PROPERTIES:
            raise Unfit(f"without references it would have more than {_MOST_PROPERTIES:,} properties")
        return super()._properties(chosen)

    def _scalar(self, kind: int) -> Node:
        node = super()._scalar(kind)
        if kind == FieldDescriptor.TYPE_BYTES:
            node["format"] = "byte"
        elif kind in SMALL_INTEGERS and "minimum" not in node:
            node["format"] = "int32"
        return node


def _capital(node: Node) -> Node:
    """Writes a node as Gemini's Schema has it: types in capitals, ordered properties, no closed objects."""
    made: Node = {name: value for name, value in node.items() if name != "additionalProperties"}
    made["type"] = node["type"].upper()
    if "items" in node:
        made["items"] = _capital(node["items"])
    if "properties" in node:
        made["properties"] = {name: _capital(inner) for name, inner in node["properties"].items()}
        made["propertyOrdering"] = list(node["properties"])
    return made


# ── tools and turns ─────────────────────────────────────────────────────────────────────────────────────────


def _json_schema_tool(view: View) -> dict[str, Any]:
    return {
        "name": view.tool.name,
        "description": view.description or view.tool.name,
        "parametersJsonSchema": view.input,
    }


def _parameters_tool(view: View) -> dict[str, Any]:
    """Leaves empty parameters out, as an object without properties is refused."""
    parameters = {"parameters": view.input} if view.input["properties"] else {}
    return {"name": view.tool.name, "description": view.description or view.tool.name, **parameters}


def _read(message: Any) -> list[ToolCall]:
    """Reads a response, a content, its parts, or a list of function calls; other parts are passed over."""
    calls = []
    for place, part in entries(message, "parts", "candidates.0.content.parts", "content.parts"):
        call = part.get("functionCall", part.get("function_call", part if "name" in part else None))
        if call is None:
            continue
        if not isinstance(call, dict):
            raise TurnInvalid(f"{place}.functionCall", "must be an object")
        name, identity = text_of(call, place, "name"), text_of(call, place, "id", is_needed=False)
        calls.append(ToolCall(name, arguments_of(call.get("args")), identity))
    return calls


def _write(results: Sequence[Result]) -> list[Any]:
    """Writes one content; an output stands under its key, so that none is taken for an error."""
    parts = []
    for result in results:
        response = {"error": result.error} if result.error else {"output": json.loads(result.output_json)}
        identity = {"id": result.call.tool_call_id} if result.call.tool_call_id else {}
        parts.append({"functionResponse": {**identity, "name": result.call.tool, "response": response}})
    return [{"role": "user", "parts": parts}] if parts else []


_TURNS: Final = Turns(_read, _write)
DIALECTS: Final = (
    Dialect("gemini", (Variant(JsonSchema, _json_schema_tool),), _TURNS),
    Dialect("gemini-schema", (Variant(Parameters, _parameters_tool),), _TURNS),
)
