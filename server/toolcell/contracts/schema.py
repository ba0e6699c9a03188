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
from toolcell.contracts.codec.wellknown import NULL_VALUE, WRAPPERS
from toolcell.contracts.constraints import Constraint
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.fields import is_map, map_entry, offered_name, oneof_of
from toolcell.contracts.form import PLAIN, UNTYPED, Form, Unfit
from toolcell.contracts.nodes import Node, describe, first_sentence, nullable
from toolcell.contracts.options import IGNORE_IF_ZERO_VALUE, MESSAGE_RULES, ONEOF_RULES
from toolcell.contracts.requirements import belongs, is_required

_OF_PAIRS: Final = {"minProperties": "minItems", "maxProperties": "maxItems"}
REFERENCE: Final = "#/$defs/"


class Schema:
    """Writes the schema of one message and of what it holds; deterministic, properties in declared order.

    `notes` says what was put more simply than a JSON Schema could say it, and of which fields.
    """

    form: ClassVar[Form] = PLAIN

    def __init__(self, definitions: Definitions, direction: Direction, *, is_compact: bool = False) -> None:
        self._definitions = definitions
        self._direction = direction
        self._is_compact = is_compact
        self._names: dict[str, str] = {}
        self._defined: dict[str, Node] = {}
        self._root = ""
        self._field = ""
        self.notes: dict[str, list[str]] = {}

    def of(self, root: Descriptor) -> Node:
        """Returns the schema of a tool's whole input or output: always an object; raises Unfit."""
        self._root = root.full_name
        if root.full_name in self.form.texts:
            raise Unfit("its arguments may be any object")
        node = self._special(root.full_name) or self._object(root)
        if self._defined:
            node["$defs"] = dict(sorted(self._defined.items()))
        return node

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────

    def _object(self, message: Descriptor) -> Node:
        fields = [field for field in message.fields if belongs(field, self._definitions, self._direction)]
        node: Node = {"type": "object"}
        rules = self._definitions.options.read(message, MESSAGE_RULES)
        describe(node, "" if self._is_compact else self._definitions.comments.of(message))
        self._apply(node, constraints.of_message(rules) if rules is not None else ())
        node["properties"], required = self._properties(fields)
        if required or self.form.has_nulls:
            node["required"] = required
        node["additionalProperties"] = False
        return node

    def _properties(self, fields: Iterable[FieldDescriptor]) -> tuple[dict[str, Node], list[str]]:
        """Returns the properties in declared order, and the names of the required ones."""
        chosen = list(fields)
        properties = {self._name(field): self._property(field) for field in chosen}
        return properties, [self._name(field) for field in chosen if self._is_required(field)]

    def _name(self, field: FieldDescriptor) -> str:
        return offered_name(field) if self._direction is Direction.INPUT else field.name

    def _is_required(self, field: FieldDescriptor) -> bool:
        return is_required(field, self._definitions, self._direction)

    def _message(self, message: Descriptor) -> Node:
        """Returns a node for a message within another: a well-known type's own, or a reference."""
        name = message.full_name
        if (node := self._special(name)) is not None:
            return node
        is_within = name == self._root or (name in self._names and not self._defined[self._names[name]])
        if is_within and not self.form.has_recursion:
            raise Unfit(f"{message.name} holds itself")
        if name == self._root:
            return {"$ref": "#"}
        if name not in self._names:
            self._names[name] = self._definition_name(name)
            self._defined[self._names[name]] = {}  # reserved before what it holds is looked at
            self._defined[self._names[name]] = self._object(message)
        return {"$ref": REFERENCE + self._names[name]}

    def _definition_name(self, full_name: str) -> str:
        """Returns a name of letters, digits and underscores only; two messages never share one."""
        name = full_name.replace(".", "_")
        while name in self._defined:
            name += "_"
        return name

    def _special(self, full_name: str) -> Node | None:
        if full_name in self.form.texts:
            self._note("sent as a string of JSON")
            return {"type": "string", "description": f"{UNTYPED[full_name]}, as a string of JSON."}
        node = nodes.well_known(full_name)
        return node and self._number_in_answer(self._sayable(node))

    def _sayable(self, node: Node) -> Node:
        """Leaves out the keywords of a type that this dialect does not take."""
        known = self.form.keywords
        return {name: value for name, value in node.items() if name in nodes.STRUCTURE or name in known}

    def _note(self, what: str) -> None:
        """Remembers what was put more simply, and of which field."""
        fields = self.notes.setdefault(what, [])
        if self._field not in fields:
            fields.append(self._field)

    # ── fields ──────────────────────────────────────────────────────────────────────────────────────────────

    def _property(self, field: FieldDescriptor) -> Node:
        rules = self._definitions.options.field_rules(field)
        self._field = self._name(field)
        if is_map(field):
            node = self._map(field, rules)
        elif field.is_repeated:
            node = {"type": "array", "items": self._value(field, rules and rules.repeated.items)}
            self._constrain(node, rules)
        else:
            node = self._value(field, rules)
            if field.message_type is not None and field.message_type.full_name in WRAPPERS:
                node = self._boxed(node)
        self._field = self._name(field)
        if rules is not None and rules.required and field.is_repeated:
            self._apply(node, [_not_empty(field)])
        if (oneof := oneof_of(field)) is not None and not self.form.has_choices:
            self._tell_oneof(node, field, oneof)
        if field.has_default_value:
            self._tell_default(node, field)
        if field.GetOptions().deprecated and "deprecated" in self.form.keywords:
            node["deprecated"] = True
        elif field.GetOptions().deprecated:
            describe(node, "Deprecated.")
        return self._described(self._optional(node, field), self._definitions.comments.of(field))

    def _boxed(self, node: Node) -> Node:
        """Lets null stand for an absent wrapper."""
        return nullable(node)

    def _optional(self, node: Node, _field: FieldDescriptor) -> Node:
        """Makes of a field's node that of a property which may be absent."""
        return node

    def _described(self, node: Node, comment: str) -> Node:
        """Puts the author's words before ours, and both before everything else but the type."""
        comment = first_sentence(comment) if self._is_compact else comment
        told = "\n".join(text for text in (comment, node.pop("description", "")) if text)
        if not told:
            return node
        if "$ref" in node and self.form.reference == "wrapped":
            return {"anyOf": [node], "description": told}
        kind: Node = {name: node.pop(name) for name in ("$ref", "type") if name in node}
        return {**kind, "description": told, **node}

    def _map(self, field: FieldDescriptor, rules: Any) -> Node:
        key_field, value_field = map_entry(field)
        key = self._sayable(nodes.map_key(key_field.type))
        self._constrain(key, rules and rules.map.keys)
        value = self._value(value_field, rules and rules.map.values)
        node: Node = {"type": "object", "additionalProperties": value}
        if self.form.has_pairs:
            pair = self._closed({"key": key, "value": value})
            node = {"type": "array", "description": "A map: each key at most once.", "items": pair}
        elif key.keys() - {"type"} and "propertyNames" in self.form.keywords:
            node["propertyNames"] = key
        elif key_field.type != FieldDescriptor.TYPE_STRING:
            kind = "true or false" if key_field.type == FieldDescriptor.TYPE_BOOL else "integers"
            describe(node, f"Its keys are {kind}.")
        elif "description" in key:
            describe(node, f"Its keys: {key['description']}")
        self._constrain(node, rules)
        return node

    def _closed(self, properties: dict[str, Node]) -> Node:
        """Returns an object that has exactly these properties."""
        names = list(properties)
        return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}

    def _value(self, field: FieldDescriptor, rules: Any) -> Node:
        """Returns the node of a single value, whether it stands alone, in a list or in a map."""
        if field.message_type is not None:
            node = self._message(field.message_type)
        elif field.enum_type is not None:
            node = self._enum(field.enum_type, rules)
        else:
            node = self._number_in_answer(self._scalar(field.type))
        if rules:
            self._constrain(node, rules)
        return node

    def _scalar(self, kind: int) -> Node:
        return self._sayable(nodes.scalar(kind))

    def _enum(self, enum: EnumDescriptor, rules: Any) -> Node:
        if enum.full_name == NULL_VALUE:
            return {"type": "null"} if self.form.has_null_type else {"type": "string", "enum": ["NULL_VALUE"]}
        is_answer = self._direction is Direction.OUTPUT
        values = list(enum.values) if is_answer else offered(enum)
        chosen = rules.enum if rules and rules.WhichOneof("type") == "enum" else None
        if chosen is not None:
            values = [value for value in values if constraints.is_allowed(value.number, chosen)] or values
        if len(values) > self.form.most_values:
            self._note("an enum of too many values to list")
            return {"type": "string", "description": f"The name of a value of {enum.full_name}."}
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
                describe(node, constraint.sentence)
            if constraint.sentence and constraint.keywords and not is_said:
                self._note(f"{next(iter(constraint.keywords))} told in words")

    def _merge(self, node: Node, keywords: Any) -> bool:
        """Puts keywords into a node, the tighter bound where one is there; False when one cannot be said."""
        if self.form.has_pairs:
            keywords = {_OF_PAIRS.get(name, name): value for name, value in keywords.items()}
        is_taken = "pattern" in keywords and "pattern" in node
        if "$ref" in node and self.form.reference != "beside":
            return False
        if is_taken or not all(self._takes(name, value) for name, value in keywords.items()):
            return False
        for name, value in keywords.items():
            tighter = {"min": max, "max": min}.get(name[:3])
            node[name] = tighter(node[name], value) if tighter and name in node else value
        return True

    def _takes(self, keyword: str, value: Any) -> bool:
        """Tells whether the dialect has a keyword, with this value."""
        return keyword in self.form.keywords and (keyword != "format" or value in self.form.formats)

    def _tell_default(self, node: Node, field: FieldDescriptor) -> None:
        if field.enum_type is not None:
            value: Any = field.enum_type.values_by_number[field.default_value].name
        else:
            value = field.default_value
        is_json = isinstance(value, str | bool) or field.type in nodes.SMALL_INTEGERS
        if is_json and "default" in self.form.keywords:
            node["default"] = value
        else:
            is_name = field.enum_type is not None
            describe(node, f"Default: {value if is_name else nodes.shown_default(field)}.")

    def _tell_oneof(self, node: Node, field: FieldDescriptor, oneof: OneofDescriptor) -> None:
        rules = self._definitions.options.read(oneof, ONEOF_RULES)
        count = "exactly" if rules is not None and rules.required else "at most"
        members = [
            self._name(member)
            for member in oneof.fields
            if belongs(member, self._definitions, self._direction)
        ]
        describe(node, self._definitions.comments.of(oneof) if members[0] == self._name(field) else "")
        describe(node, f"Set {count} one of: {', '.join(members)}.")


def _not_empty(field: FieldDescriptor) -> Constraint:
    return Constraint("Must not be empty.", {"minProperties" if is_map(field) else "minItems": 1})
