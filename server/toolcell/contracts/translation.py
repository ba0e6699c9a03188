"""A dialect's arguments become ProtoJSON, and ProtoJSON a dialect's arguments: exactly what its form rewrote.

Nothing is guessed: a value that a dialect's schema does not offer is left as it is, for the codec to refuse,
or refused here where the codec would take it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor

from toolcell.contracts.codec.enums import offered
from toolcell.contracts.codec.text import Doubled
from toolcell.contracts.codec.walk import Direction, Reject, Walk, printable
from toolcell.contracts.codec.wellknown import ANY, NULL_VALUE, READERS
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.fields import is_map, map_entry, offered_name, oneof_of
from toolcell.contracts.form import Form
from toolcell.contracts.requirements import belongs
from toolcell.contracts.steps import (
    ABSENT,
    NULL_NAME,
    SAME,
    TEXT,
    Entries,
    Items,
    Pairs,
    Step,
    like,
    within,
)


class Translation:
    """Rewrites the arguments of one load's messages between one form and ProtoJSON."""

    def __init__(self, form: Form, definitions: Definitions) -> None:
        self.form = form
        self.definitions = definitions
        self._made: dict[tuple[str, tuple[tuple[str, int], ...]], _Object] = {}

    def of(self, root: Descriptor) -> Step:
        """Returns the rewriting of a tool's whole arguments."""
        return SAME if root.full_name in READERS else self.object(root, Counter())

    def object(self, message: Descriptor, around: Counter[str]) -> "_Object":
        """Returns the rewriting of a message; `around` counts the levels of each message it stands in."""
        key = (message.full_name, tuple(sorted(around.items())) if self.form.levels else ())
        if key not in self._made:
            self._made[key] = _Object(self, message, around)
        return self._made[key]

    def field(self, field: FieldDescriptor, around: Counter[str]) -> Step:
        """Returns the rewriting of a field as a whole."""
        if is_map(field):
            value = self._single(map_entry(field)[1], around)
            return Pairs(value) if self.form.has_pairs else Entries(value)
        single = self._single(field, around)
        return Items(single) if field.is_repeated else single

    def _single(self, field: FieldDescriptor, around: Counter[str]) -> Step:
        message = field.message_type
        if message is None:
            is_null = field.enum_type is not None and field.enum_type.full_name == NULL_VALUE
            is_named = not self.form.has_null_type or (self.form.has_nulls and _is_nullable(field))
            return NULL_NAME if is_null and is_named else SAME
        if message.full_name in self.form.texts:
            return TEXT
        if message.full_name in READERS or message.full_name == ANY:
            return SAME
        if is_cut(self.form, message, around[message.full_name], self.definitions):
            return TEXT
        return self.object(message, around)


def is_cut(form: Form, message: Descriptor, levels: int, definitions: Definitions) -> bool:
    """Tells whether a message that is to be written in place becomes a string of JSON instead.

    One that stands in itself so many levels deep does, and one without fields, as an object must have some.
    """
    if not form.levels:
        return False
    return levels >= form.levels or not any(
        belongs(field, definitions, Direction.INPUT) for field in message.fields
    )


def _is_nullable(field: FieldDescriptor) -> bool:
    return field.has_presence and not field.is_repeated and oneof_of(field) is None


class _Object:
    """A message's object; its fields are looked at at first use, so that messages may hold themselves."""

    def __init__(self, translation: Translation, message: Descriptor, around: Counter[str]) -> None:
        self._translation = translation
        self._message = message
        self._around = around + Counter([message.full_name])
        self._steps: dict[str, Step] | None = None
        self._members: dict[str, OneofDescriptor] = {}
        self._oneofs: dict[str, OneofDescriptor] = {}

    def undo(self, value: Any, walk: Walk) -> Any:
        if not isinstance(value, dict):
            return value
        steps = self._known()
        walk.enter()
        made: dict[str, Any] = {}
        for name, item in value.items():
            if name in self._oneofs:
                within(_Chosen(self, made), item, walk, name)
            elif name in self._members:
                sentence = f"is a member of `{offered_name(self._members[name])}`; put it into that object"
                walk.add((name,), "UNKNOWN_FIELD", sentence)
            elif name not in steps:
                made[name] = item
            else:
                self._take((name, item), steps[name], made, walk)
        walk.depth -= 1
        return like(value, made)

    def choose(self, value: Any, made: dict[str, Any], walk: Walk) -> None:
        """Puts the members of a oneof's object into the message's; the codec refuses two of them."""
        if value is None:
            return
        oneof = walk.path[-1]
        if not isinstance(value, dict):
            raise Reject("WRONG_TYPE", "must be an object with one of the members, or left out")
        for name in value.names if type(value) is Doubled else ():
            walk.add((printable(name),), "DUPLICATE_KEY", "stands twice in the object")
        for name, item in value.items():
            if name not in self._members or offered_name(self._members[name]) != oneof:
                names = ", ".join(field.name for field in self._oneofs[str(oneof)].fields)
                walk.add((printable(str(name)),), "UNKNOWN_FIELD", f"must be one of {names}")
            else:
                self._take((name, item), self._known()[name], made, walk)

    def apply(self, value: Mapping[str, Any]) -> Any:
        form, steps = self._translation.form, self._known()
        made: dict[str, Any] = {}
        for field in self._fields():
            oneof = oneof_of(field) if form.has_choices else None
            is_there = field.name in value and not _is_unspecified(field, value[field.name])
            name, given = (
                offered_name(field),
                steps[field.name].apply(value[field.name]) if is_there else None,
            )
            if oneof is not None:
                name, given = offered_name(oneof), {name: given}
            if is_there:
                made[name] = given
            elif form.has_nulls:
                made.setdefault(name, None)
        return made

    def _take(self, pair: tuple[str, Any], step: Step, made: dict[str, Any], walk: Walk) -> None:
        name, item = pair
        if item is None and (step is TEXT or step is NULL_NAME):
            return  # null stands for absent
        if step is SAME:
            made[name] = item
            return
        found = within(step, item, walk, name)
        if found is not ABSENT:
            made[name] = found

    def _fields(self) -> list[FieldDescriptor]:
        definitions = self._translation.definitions
        return [field for field in self._message.fields if belongs(field, definitions, Direction.INPUT)]

    def _known(self) -> dict[str, Step]:
        """Returns the rewriting of each field; whole before it is seen, as large arguments have a thread."""
        if self._steps is None:
            steps: dict[str, Step] = {}
            for field in self._fields():
                step = self._translation.field(field, self._around)
                oneof = oneof_of(field) if self._translation.form.has_choices else None
                for name in (field.name, field.json_name, offered_name(field)):
                    steps[name] = step
                    if oneof is not None:
                        self._members[name] = oneof
                        self._oneofs[offered_name(oneof)] = oneof
            self._steps = steps
        return self._steps


class _Chosen:
    """A oneof's property, whose members go into the object around it."""

    def __init__(self, of: _Object, made: dict[str, Any]) -> None:
        self._of = of
        self._made = made

    def undo(self, value: Any, walk: Walk) -> Any:
        self._of.choose(value, self._made, walk)

    def apply(self, value: Any) -> Any:
        return value


def _is_unspecified(field: FieldDescriptor, value: Any) -> bool:
    """Tells whether a value is the zero of an enum that no model is offered, which stands for absent."""
    if field.enum_type is None or field.has_presence or field.is_repeated:
        return False
    zero = field.enum_type.values_by_number.get(0)
    return zero is not None and value == zero.name and zero not in offered(field.enum_type)
