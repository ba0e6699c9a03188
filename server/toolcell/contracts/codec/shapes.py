"""Messages: shapes are made from descriptors once and then read any number of values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from toolcell.contracts.codec.containers import ABSENT, ListShape, MapShape
from toolcell.contracts.codec.enums import EnumShape
from toolcell.contracts.codec.scalars import SCALARS, Bulk, Read, key_reader
from toolcell.contracts.codec.text import Doubled
from toolcell.contracts.codec.walk import Direction, Pair, Reject, Walk, hint, printable
from toolcell.contracts.codec.wellknown import ANY, NULL_VALUE, READERS, VALUE
from toolcell.contracts.fields import is_map, map_entry, offered_name, oneof_of
from toolcell.contracts.options import INPUT_ONLY, OUTPUT_ONLY, REQUIRED, Options

_FOREIGN: Final = {Direction.INPUT: OUTPUT_ONLY, Direction.OUTPUT: INPUT_ONLY}
_TYPE_KEY: Final = "@type"


@dataclass(frozen=True, slots=True)
class Field:
    """What the walk needs to know of a field.

    `zero` is printed where it is absent, ABSENT prints nothing.
    """

    name: str
    aliases: tuple[str, ...]
    read: Read
    zero: Any
    takes_null: bool
    is_required: bool
    oneof: str


class Shapes:
    """Makes the shapes of one pool's messages for one direction, each once."""

    def __init__(self, options: Options, direction: Direction) -> None:
        self._options = options
        self._direction = direction
        self._made: dict[str, MessageShape] = {}

    def of(self, descriptor: Descriptor) -> "MessageShape":
        """Returns the shape of an ordinary message; its fields are looked at when it first reads."""
        shape = self._made.get(descriptor.full_name)
        if shape is None:
            shape = self._made[descriptor.full_name] = MessageShape(descriptor, self)
        return shape

    def reader(self, descriptor: Descriptor) -> Read:
        """Returns the reader of any message, well-known types included."""
        if descriptor.full_name == ANY:
            return AnyShape(descriptor, self).read
        return READERS.get(descriptor.full_name) or self.of(descriptor).read

    def fields(self, descriptor: Descriptor) -> tuple[list[Field], frozenset[str]]:
        """Returns the fields of this direction, and the names of those that belong to the other."""
        foreign = _FOREIGN[self._direction]
        is_foreign = {f.name: foreign in self._options.behaviors(f) for f in descriptor.fields}
        mine = [self._field(field) for field in descriptor.fields if not is_foreign[field.name]]
        others = (f for f in descriptor.fields if is_foreign[f.name])
        return mine, frozenset(name for f in others for name in (f.name, f.json_name))

    def _field(self, field: FieldDescriptor) -> Field:
        read, zero, is_plain = self._value(field)
        if is_map(field):
            read, zero = self._map(field), {}
        elif field.is_repeated:
            read, zero = ListShape(read, is_plain).read, []
        elif field.has_presence:
            zero = ABSENT
        is_null_value = field.enum_type is not None and field.enum_type.full_name == NULL_VALUE
        is_value = field.message_type is not None and field.message_type.full_name == VALUE
        is_input = self._direction is Direction.INPUT
        return Field(
            name=field.name,
            aliases=tuple({field.json_name, offered_name(field)} - {field.name}),
            read=read,
            zero=zero,
            takes_null=(is_null_value or is_value) and not field.is_repeated,
            is_required=field.is_required or (is_input and REQUIRED in self._options.behaviors(field)),
            oneof=oneof.name if (oneof := oneof_of(field)) is not None else "",
        )

    def _value(self, field: FieldDescriptor) -> tuple[Read, Any, Bulk | None]:
        """Returns how one value is read, its zero, and the check of a whole list, if there is one."""
        if field.message_type is not None:
            return _Late(self, field.message_type), ABSENT, None
        if field.enum_type is not None and field.enum_type.full_name == NULL_VALUE:
            return _read_null, None, None
        if field.enum_type is not None:
            enum = EnumShape(field.enum_type)
            return enum.read, enum.zero, None
        scalar = SCALARS[field.type]
        return scalar.read, scalar.zero, scalar.is_plain

    def _map(self, field: FieldDescriptor) -> Read:
        key, value = map_entry(field)
        return MapShape(key_reader(key), self._value(value)[0]).read


class _Late:
    """Reads a message; its reader is looked up when first needed, so that messages may hold themselves."""

    __slots__ = ("_descriptor", "_read", "_shapes")

    def __init__(self, shapes: Shapes, descriptor: Descriptor) -> None:
        self._shapes = shapes
        self._descriptor = descriptor
        self._read: Read | None = None

    def __call__(self, value: Any, walk: Walk) -> Pair:
        if self._read is None:
            self._read = self._shapes.reader(self._descriptor)
        return self._read(value, walk)


class MessageShape:
    """Reads JSON objects of one message."""

    def __init__(self, descriptor: Descriptor, shapes: Shapes) -> None:
        self._descriptor = descriptor
        self._shapes = shapes
        self._fields: list[Field] | None = None
        self._names: frozenset[str] = frozenset()
        self._foreign: frozenset[str] = frozenset()

    def read(self, value: Any, walk: Walk) -> Pair:
        """Gives the object in canonical form: fields in declared order, zeros filled in."""
        if not isinstance(value, dict):
            raise Reject("WRONG_TYPE", "must be an object")
        if self._fields is None:
            fields, self._foreign = self._shapes.fields(self._descriptor)
            self._names = frozenset(field.name for field in fields)
            self._fields = fields  # last: another thread may be reading too
        walk.enter()
        walk.hold(len(value))
        is_canonical = value.keys() <= self._names and type(value) is not Doubled
        given = value if is_canonical else self._renamed(value, walk)
        plain: dict[str, Any] = {}
        wire: dict[str, Any] = {}
        chosen: dict[str, str] = {}
        for field in self._fields:
            item = given.get(field.name, ABSENT)
            if item is ABSENT or (item is None and not field.takes_null):
                if field.zero is not ABSENT:
                    plain[field.name] = field.zero
                if field.is_required and (field.zero is ABSENT or not walk.is_wire):
                    walk.add((field.name,), "required", "is required")
                continue
            if field.oneof and (other := chosen.setdefault(field.oneof, field.name)) is not field.name:
                walk.add((field.name,), "ONEOF_CONFLICT", f"cannot be set together with `{other}`")
            self._take(field, item, walk, (plain, wire))
        walk.depth -= 1
        return plain, wire

    def _take(self, field: Field, given: Any, walk: Walk, into: Pair) -> None:
        path = walk.path
        level, depth = len(path), walk.depth
        path.append(field.name)
        try:
            plain, wire = field.read(given, walk)
            into[0][field.name] = plain
            if wire is not ABSENT:
                into[1][field.name] = wire
        except Reject as reject:
            walk.depth = depth
            walk.add((), reject.rule, reject.sentence)
        finally:
            del path[level:]

    def _renamed(self, value: Mapping[Any, Any], walk: Walk) -> dict[str, Any]:
        """Returns the object with the fields' own names.

        Notes names that no field has, that belong to the other direction, or that stand twice.
        """
        fields = self._fields or []
        known = {name: field.name for field in fields for name in (field.name, *field.aliases)}
        given: dict[str, Any] = {}
        for name, item in value.items():
            if name in self._foreign:
                walk.add((printable(name),), "UNKNOWN_FIELD", "is not yours to set; leave it out")
            elif name not in known:
                near = hint(str(name), self._names)
                walk.add((printable(str(name)),), "UNKNOWN_FIELD", f"unknown field{near}")
            elif known[name] in given:
                walk.add((known[name],), "DUPLICATE_KEY", f"stands twice, also as `{name}`")
            else:
                given[known[name]] = item
        for name in value.names if type(value) is Doubled else ():
            walk.add((printable(name),), "DUPLICATE_KEY", "stands twice in the object")
        return given


class AnyShape:
    """Reads google.protobuf.Any: an object whose "@type" names a message that some contract imports."""

    def __init__(self, descriptor: Descriptor, shapes: Shapes) -> None:
        self._pool = descriptor.file.pool
        self._shapes = shapes

    def read(self, value: Any, walk: Walk) -> Pair:
        """Gives the object and its packed message; `{}` is an Any that holds nothing."""
        if not isinstance(value, dict) or type(value) is Doubled:
            raise Reject("WRONG_TYPE", 'must be an object with the type\'s name in "@type", each name once')
        if not value:
            return {}, {}
        url = value.get(_TYPE_KEY)
        descriptor = self._find(url)
        rest = {name: item for name, item in value.items() if name != _TYPE_KEY}
        is_special = descriptor.full_name in READERS or descriptor.full_name == ANY
        if is_special and rest.keys() != {"value"}:
            raise Reject("UNKNOWN_FIELD", 'must have "@type" and "value" only')
        walk.enter()
        plain, wire = self._shapes.reader(descriptor)(rest["value"] if is_special else rest, walk)
        walk.depth -= 1
        packed = {} if walk.violations else construct(descriptor, plain, wire).SerializeToString()
        shown = {"value": plain} if is_special else plain
        return {_TYPE_KEY: url, **shown}, {"type_url": url, "value": packed} if packed else {"type_url": url}

    def _find(self, url: Any) -> Descriptor:
        try:
            if type(url) is not str or "/" not in url or not url.isascii():
                raise KeyError
            return self._pool.FindMessageTypeByName(url.rpartition("/")[2])
        except KeyError:
            sentence = 'needs a known type in "@type", such as type.googleapis.com/google.protobuf.Duration'
            raise Reject("WRONG_TYPE", sentence) from None


def construct(descriptor: Descriptor, plain: Any, wire: Any) -> Any:
    """Makes a message from what a walk gave; only types of JSON's own shape need the slower way."""
    made = message_factory.GetMessageClass(descriptor)
    if descriptor.full_name in READERS:
        return json_format.ParseDict(plain, made(), descriptor_pool=descriptor.file.pool)
    return made(**wire)


def _read_null(value: Any, _walk: Walk) -> Pair:
    if value is not None and value != "NULL_VALUE":
        raise Reject("WRONG_TYPE", "must be null")
    return None, 0
