"""What a field is, beyond what its descriptor says directly."""

import hashlib
from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor

from toolcell.contracts.codec.wellknown import ANY, READERS

LONGEST_NAME: Final = 64  # characters of a property's name that every provider takes


def is_map(field: FieldDescriptor) -> bool:
    """Tells whether a repeated field is a map in disguise."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def oneof_of(field: FieldDescriptor) -> OneofDescriptor | None:
    """Returns the oneof of a field if its author wrote it; `optional` makes one of its own."""
    oneof = field.containing_oneof
    is_made = oneof is not None and len(oneof.fields) == 1 and oneof.name.startswith("_")
    return None if is_made else oneof


def map_entry(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor]:
    """Returns the key and the value of a map; raises TypeError for any other field."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} is no map")
    entry = field.message_type.fields_by_name
    return entry["key"], entry["value"]


def offered_name(field: FieldDescriptor | OneofDescriptor) -> str:
    """Returns the name a model sees: the field's own, shortened with a digest above 64 characters."""
    if len(field.name) <= LONGEST_NAME:
        return str(field.name)
    digest = hashlib.sha256(field.name.encode()).hexdigest()[:8]
    return f"{field.name[: LONGEST_NAME - 9]}_{digest}"


def held(message: Descriptor) -> Iterator[Descriptor]:
    """Yields the messages of a message's fields: a map's values, and none that JSON writes in its own way."""
    for field in message.fields:
        inner = map_entry(field)[1].message_type if is_map(field) else field.message_type
        if inner is not None and inner.full_name not in READERS and inner.full_name != ANY:
            yield inner


def reachable(message: Descriptor) -> frozenset[str]:
    """Returns the full names of every message that a message can hold; its own only if it can hold itself."""
    found: set[str] = set()
    waiting = list(held(message))
    while waiting:
        inner = waiting.pop()
        if inner.full_name not in found:
            found.add(inner.full_name)
            waiting += held(inner)
    return frozenset(found)


def messages_within(root: Descriptor) -> dict[str, Descriptor]:
    """Returns every message that a message can hold, itself too, by full name; no map entries."""
    found = {root.full_name: root}
    waiting = [root]
    while waiting:
        for field in waiting.pop().fields:
            message = field.message_type
            if message is not None and message.full_name not in found:
                found[message.full_name] = message
                waiting.append(message)
    return {name: message for name, message in found.items() if not message.GetOptions().map_entry}
