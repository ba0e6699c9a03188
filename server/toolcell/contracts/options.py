"""Custom options of descriptors, read with the messages of their own pool.

In the process's default pool, where descriptors' options are parsed, an extension that only users' contracts
import stays an unknown field; so the bytes are parsed again with the private pool's own option messages.
"""

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool

TOOL: Final = "toolcell.v1.tool"
FIELD_RULES: Final = "buf.validate.field"
MESSAGE_RULES: Final = "buf.validate.message"
ONEOF_RULES: Final = "buf.validate.oneof"
FIELD_BEHAVIOR: Final = "google.api.field_behavior"
REQUIRED, OUTPUT_ONLY, INPUT_ONLY = 2, 3, 4  # google.api.FieldBehavior
IGNORE_IF_ZERO_VALUE, IGNORE_ALWAYS = 1, 3  # buf.validate.Ignore


class Options:
    """Reads extensions of descriptors' options in one pool."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool
        self._extensions: dict[str, Any] = {}

    def read(self, descriptor: Any, extension: str) -> Any:
        """Returns an option: a message of the private pool, a list, or None when it is not set."""
        if not descriptor.has_options:
            return None
        known = self._extension(extension)
        if known is None:
            return None
        options = message_factory.GetMessageClass(known.containing_type).FromString(
            descriptor.GetOptions().SerializeToString()
        )
        if known.is_repeated:
            return list(options.Extensions[known])
        return options.Extensions[known] if options.HasExtension(known) else None

    def behaviors(self, field: Any) -> Iterable[int]:
        """Returns a field's google.api.field_behavior numbers (AIP-203)."""
        return self.read(field, FIELD_BEHAVIOR) or ()

    def field_rules(self, field: Any) -> Any:
        """Returns a field's protovalidate rules, or None when there are none or they are to be ignored."""
        rules = self.read(field, FIELD_RULES)
        return None if rules is None or rules.ignore == IGNORE_ALWAYS else rules

    def is_constrained(self, message: Any) -> bool:
        """Tells whether a message itself, not what it contains, has protovalidate rules."""
        return (
            self.read(message, MESSAGE_RULES) is not None
            or any(self.read(oneof, ONEOF_RULES) is not None for oneof in message.oneofs)
            or any(self.field_rules(field) is not None for field in message.fields)
        )

    def _extension(self, name: str) -> Any:
        if name not in self._extensions:
            try:
                self._extensions[name] = self._pool.FindExtensionByName(name)
            except KeyError:  # no contract imports it
                self._extensions[name] = None
        return self._extensions[name]
