"""JSON Schema for providers that make a grammar of it: closed objects, no alternatives but by anyOf.

A model whose answer is held to such a grammar cannot set two members of a oneof, nor leave out a field.
"""

from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor, OneofDescriptor

from toolcell.contracts.codec.wellknown import NULL_VALUE
from toolcell.contracts.fields import offered_name, oneof_of
from toolcell.contracts.nodes import Node, nullable
from toolcell.contracts.options import ONEOF_RULES
from toolcell.contracts.requirements import belongs
from toolcell.contracts.schema import Schema


class Grammar(Schema):
    """Writes oneofs as one property, and where the form has nulls, requires every property."""

    def _properties(self, fields: Iterable[FieldDescriptor]) -> tuple[dict[str, Node], list[str]]:
        properties: dict[str, Node] = {}
        required: list[str] = []
        for field in fields:
            oneof = oneof_of(field)
            name = self._name(field) if oneof is None else offered_name(oneof)
            if name in properties:
                continue
            properties[name] = self._property(field) if oneof is None else self._choice(oneof)
            is_needed = self._is_required(field) if oneof is None else self._is_choice_required(oneof)
            if self.form.has_nulls or is_needed:
                required.append(name)
        return properties, required

    def _choice(self, oneof: OneofDescriptor) -> Node:
        """Returns a property that holds an object with exactly one of the members."""
        members = [field for field in oneof.fields if belongs(field, self._definitions, self._direction)]
        branches = [self._closed({self._name(field): self._property(field)}) for field in members]
        node: Node = {"anyOf": branches}
        if self.form.has_nulls and not self._is_choice_required(oneof):
            branches.append({"type": "null"})
        return self._described(node, self._definitions.comments.of(oneof))

    def _is_choice_required(self, oneof: OneofDescriptor) -> bool:
        rules = self._definitions.options.read(oneof, ONEOF_RULES)
        return rules is not None and bool(rules.required)

    def _optional(self, node: Node, field: FieldDescriptor) -> Node:
        is_always_there = field.is_repeated or self._is_required(field) or oneof_of(field) is not None
        if not self.form.has_nulls or is_always_there:
            return node
        if field.has_presence and field.enum_type is not None and field.enum_type.full_name == NULL_VALUE:
            node = {**node, "type": "string", "enum": ["NULL_VALUE"]}  # null itself means absent
        return nullable(node)

    def _boxed(self, node: Node) -> Node:
        return node
