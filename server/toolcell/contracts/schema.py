"""JSON Schema 2020-12 of a message, in ProtoJSON's own terms.

What MCP and HTTP clients take, and most models.

A dialect with rules of its own subclasses Schema and replaces the nodes it cannot use.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor

from toolcell.contracts import constraints, nodes
from toolcell.contracts.codec.enums import offered
from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.codec.wellknown import NULL_VALUE
from toolcell.contracts.constraints import Constraint
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.fields import is_map, map_entry, offered_name, oneof_of
from toolcell.contracts.options import IGNORE_IF_ZERO_VALUE, MESSAGE_RULES, ONEOF_RULES
from toolcell.contracts.requirements import belongs, is_required

Node = dict[str, Any]
_REFERENCE: Final = "#/$defs/"


class Schema:
    """Writes the schema of one message and of what it holds; deterministic, properties in declared order."""

    keywords: ClassVar[frozenset[str]] = frozenset(nodes.KEYWORDS)
    """The keywords this dialect takes; a constraint with another becomes a sentence."""

    def __init__(self, definitions: Definitions, direction: Direction) -> None:
        self._definitions = definitions
        self._direction = direction
        self._names: dict[str, str] = {}
        self._defined: dict[str, Node] = {}
        self._root = ""

    def of(self, root: Descriptor) -> Node:
        """Returns the schema of a tool's whole input or output: always an object."""
        self._root = root.full_name
        node = self._special(root.full_name) or self._object(root)
        if self._defined:
            node["$defs"] = dict(sorted(self._defined.items()))
        return node

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────

    def _object(self, message: Descriptor) -> Node:
        fields = [field for field in message.fields if belongs(field, self._definitions, self._direction)]
        node: Node = {"type": "object"}
        rules = self._definitions.options.read(message, MESSAGE_RULES)
        _describe(node, self._definitions.comments.of(message))
        self._apply(node, constraints.of_message(rules) if rules is not None else ())
        node["properties"] = {self._name(field): self._property(field) for field in fields}
        if required := [self._name(field) for field in fields if self._is_required(field)]:
            node["required"] = required
        node["additionalProperties"] = False
        return node

    def _name(self, field: FieldDescriptor) -> str:
        return offered_name(field) if self._direction is Direction.INPUT else field.name

    def _is_required(self, field: FieldDescriptor) -> bool:
        return is_required(field, self._definitions, self._direction)

    def _message(self, message: Descriptor) -> Node:
        """Returns a node for a message within another: a well-known type's own, or a reference."""
        name = message.full_name
        if (node := self._special(name)) is not None:
            return node
        if name == self._root:
            return {"$ref": "#"}
        if name not in self._names:
            self._names[name] = self._definition_name(name)
            self._defined[self._names[name]] = {}  # reserved before what it holds is looked at
            self._defined[self._names[name]] = self._object(message)
        return {"$ref": _REFERENCE + self._names[name]}

    def _definition_name(self, full_name: str) -> str:
        """Returns a name of letters, digits and underscores only; two messages never share one."""
        name = full_name.replace(".", "_")
        while name in self._defined:
            name += "_"
        return name

    def _special(self, full_name: str) -> Node | None:
        node = nodes.well_known(full_name)
        return node and self._number_in_answer(node)

    # ── fields ──────────────────────────────────────────────────────────────────────────────────────────────

    def _property(self, field: FieldDescriptor) -> Node:
        rules = self._definitions.options.field_rules(field)
        if is_map(field):
            node = self._map(field, rules)
        elif field.is_repeated:
            node = {"type": "array", "items": self._value(field, rules and rules.repeated.items)}
            self._constrain(node, rules)
        else:
            node = self._value(field, rules)
        if rules is not None and rules.required and field.is_repeated:
            self._apply(node, [_not_empty(field)])
        if (oneof := oneof_of(field)) is not None:
            self._tell_oneof(node, field, oneof)
        if field.has_default_value:
            _tell_default(node, field)
        if field.GetOptions().deprecated:
            node["deprecated"] = True
        return _described_first(node, self._definitions.comments.of(field))

    def _map(self, field: FieldDescriptor, rules: Any) -> Node:
        key_field, value_field = map_entry(field)
        key = nodes.map_key(key_field.type)
        self._constrain(key, rules and rules.map.keys)
        node: Node = {
            "type": "object",
            "additionalProperties": self._value(value_field, rules and rules.map.values),
        }
        if key.keys() - {"type"}:
            node["propertyNames"] = key
        self._constrain(node, rules)
        return node

    def _value(self, field: FieldDescriptor, rules: Any) -> Node:
        """Returns the node of a single value, whether it stands alone, in a list or in a map."""
        if field.message_type is not None:
            node = self._message(field.message_type)
        elif field.enum_type is not None:
            node = self._enum(field.enum_type, rules)
        else:
            node = self._number_in_answer(nodes.scalar(field.type))
        if rules:
            self._constrain(node, rules)
        return node

    def _enum(self, enum: EnumDescriptor, rules: Any) -> Node:
        if enum.full_name == NULL_VALUE:
            return {"type": "null"}
        is_answer = self._direction is Direction.OUTPUT
        values = list(enum.values) if is_answer else offered(enum)
        chosen = rules.enum if rules and rules.WhichOneof("type") == "enum" else None
        if chosen is not None:
            values = [value for value in values if _is_allowed(value.number, chosen)] or values
        node: Node = {"type": "string", "enum": [value.name for value in values]}
        is_open = not enum.is_closed and not (
            chosen is not None and (chosen.defined_only or chosen.HasField("const"))
        )
        return {"anyOf": [node, {"type": "integer"}]} if is_answer and is_open else node

    def _number_in_answer(self, node: Node) -> Node:
        """Lets an answer hold the strings that ProtoJSON prints for numbers that are none."""
        if self._direction is Direction.INPUT or "number" not in (kind := node.get("type", ())):
            return node
        others = [{"type": "null"}] if isinstance(kind, list) else []
        return {"anyOf": [{"type": "number"}, {"type": "string", "enum": list(nodes.ODDITIES)}, *others]}

    # ── constraints ─────────────────────────────────────────────────────────────────────────────────────────

    def _constrain(self, node: Node, rules: Any) -> None:
        """Applies field rules; where the zero value is exempt from them, they are only told."""
        if not rules:
            return
        found = constraints.of_field(rules)
        if rules.ignore == IGNORE_IF_ZERO_VALUE:
            found = (Constraint(f"Unless empty: {c.sentence}") for c in found if c.sentence)
        self._apply(node, found)

    def _apply(self, node: Node, found: Iterable[Constraint]) -> None:
        for constraint in found:
            is_said = bool(constraint.keywords) and self._merge(node, constraint.keywords)
            if constraint.sentence and (not is_said or constraint.is_partial):
                _describe(node, constraint.sentence)

    def _merge(self, node: Node, keywords: Any) -> bool:
        """Puts keywords into a node, the tighter bound where one is there; False when one cannot be said."""
        if not keywords.keys() <= self.keywords or ("pattern" in keywords and "pattern" in node):
            return False
        for name, value in keywords.items():
            tighter = {"min": max, "max": min}.get(name[:3])
            node[name] = tighter(node[name], value) if tighter and name in node else value
        return True

    def _tell_oneof(self, node: Node, field: FieldDescriptor, oneof: OneofDescriptor) -> None:
        rules = self._definitions.options.read(oneof, ONEOF_RULES)
        count = "exactly" if rules is not None and rules.required else "at most"
        members = [
            self._name(member)
            for member in oneof.fields
            if belongs(member, self._definitions, self._direction)
        ]
        _describe(node, self._definitions.comments.of(oneof) if members[0] == self._name(field) else "")
        _describe(node, f"Set {count} one of: {', '.join(members)}.")


def _not_empty(field: FieldDescriptor) -> Constraint:
    return Constraint("Must not be empty.", {"minProperties" if is_map(field) else "minItems": 1})


def _is_allowed(number: int, rules: Any) -> bool:
    allowed = getattr(rules, "in")
    is_listed = not allowed or number in allowed
    is_constant = not rules.HasField("const") or number == rules.const
    return is_listed and is_constant and number not in rules.not_in


def _describe(node: Node, text: str) -> None:
    """Adds a sentence behind what the node says already."""
    if text:
        node["description"] = f"{node['description']} {text}" if "description" in node else text


def _described_first(node: Node, comment: str) -> Node:
    """Puts the author's words before ours, and both before everything else but the type."""
    told = "\n".join(text for text in (comment, node.pop("description", "")) if text)
    if not told:
        return node
    kind: Node = {name: node.pop(name) for name in ("$ref", "type") if name in node}
    return {**kind, "description": told, **node}


def _tell_default(node: Node, field: FieldDescriptor) -> None:
    if field.enum_type is not None:
        value: Any = field.enum_type.values_by_number[field.default_value].name
    elif isinstance(field.default_value, str | bool) or field.type in nodes.SMALL_INTEGERS:
        value = field.default_value
    else:
        _describe(node, f"Default: {nodes.shown_default(field)}.")
        return
    node["default"] = value
