"""Which fields a JSON object must name, for each direction."""

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.fields import messages_within
from toolcell.contracts.options import INPUT_ONLY, OUTPUT_ONLY, REQUIRED

_FOREIGN = {Direction.INPUT: OUTPUT_ONLY, Direction.OUTPUT: INPUT_ONLY}


def belongs(field: FieldDescriptor, definitions: Definitions, direction: Direction) -> bool:
    """Tells whether a field may stand in JSON of this direction (AIP-203)."""
    return _FOREIGN[direction] not in definitions.options.behaviors(field)


def is_required(field: FieldDescriptor, definitions: Definitions, direction: Direction) -> bool:
    """Tells whether a field must be there: by protobuf's word, a rule's, or as its zero breaks a rule.

    In arguments google.api.field_behavior counts too; in answers, what is always printed is always there.
    """
    rules, message = definitions.rules, field.containing_type
    declared = definitions.options.field_rules(field)
    if field.is_required or (declared is not None and declared.required):
        return True
    if message is not None and field.name in rules.effective_required(message):
        return True
    if direction is Direction.INPUT:
        return REQUIRED in definitions.options.behaviors(field)
    return not field.has_presence


def endless(root: Descriptor, definitions: Definitions, direction: Direction) -> str:
    """Returns the name of a message that requires itself, so that no finite value exists, or ""."""
    needs = {
        name: [
            field.message_type.full_name
            for field in message.fields
            if field.message_type is not None
            and not field.is_repeated
            and belongs(field, definitions, direction)
            and is_required(field, definitions, direction)
        ]
        for name, message in messages_within(root).items()
    }
    reached = _reached(root.full_name, needs) | {root.full_name}
    return next((name for name in sorted(reached) if name in _reached(name, needs)), "")


def _reached(start: str, needs: dict[str, list[str]]) -> set[str]:
    """Returns every message that a value of `start` cannot do without."""
    seen: set[str] = set()
    waiting = list(needs.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += needs.get(name, ())
    return seen
