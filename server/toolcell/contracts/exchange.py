"""The one function through which JSON becomes a judged message and canonical JSON again."""

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor

from toolcell.contracts.codec.shapes import construct
from toolcell.contracts.codec.text import parse, printed
from toolcell.contracts.codec.walk import MOST_VIOLATIONS, Direction, Enough, Reject, Walk
from toolcell.contracts.codec.wire import UnknownNumbers, opened
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.steps import Step
from toolcell.model.errors import Violation

_SUBJECT: Final = {Direction.INPUT: "what was sent", Direction.OUTPUT: "what the handler returned"}


class Broken(Exception):  # noqa: N818 - a value, not a fault of ours
    """A value is not what the contract wants; `violations` names everything, at most 20."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations[:MOST_VIOLATIONS]


class Exchange:
    """Exchanges values of one message in one direction."""

    def __init__(self, descriptor: Descriptor, definitions: Definitions, direction: Direction) -> None:
        self.descriptor = descriptor
        self._read = definitions.shapes[direction].reader(descriptor)
        self._rules = definitions.rules if definitions.rules.is_constrained(descriptor) else None
        self._subject = _SUBJECT[direction]

    def text(self, text: str, step: Step | None = None) -> str:
        """Exchanges JSON text, in the form that a step undoes, for canonical ProtoJSON; raises Broken."""
        walk = Walk()
        try:
            value = parse(text)
            if step is not None and isinstance(value, dict):
                value = step.undo(value, walk)
        except Reject as reject:
            raise self._broken(reject) from None
        except Enough:
            raise Broken(walk.violations) from None
        return self.value(value, undone=walk.violations)

    def from_wire(self, body: bytes) -> str:
        """Exchanges the bytes of a message for canonical ProtoJSON text; raises Broken."""
        try:
            value = opened(self.descriptor, body)
        except Reject as reject:
            raise self._broken(reject) from None
        except UnknownNumbers as unknown:
            raise Broken(unknown.violations) from None
        return self.value(value, Walk(is_wire=True))

    def to_wire(self, text: str) -> bytes:
        """Exchanges canonical ProtoJSON text for the bytes of the message."""
        plain, wire = self._read(parse(text), Walk())
        made: bytes = construct(self.descriptor, plain, wire).SerializeToString()
        return made

    def value(self, value: Any, walk: Walk | None = None, undone: Sequence[Violation] = ()) -> str:
        """Exchanges a JSON value for canonical ProtoJSON; raises Broken, also for what `undone` found."""
        walk = walk or Walk()
        if not isinstance(value, dict):
            raise self._broken(Reject("NOT_OBJECT", "must be a JSON object"))
        try:
            plain, wire = self._read(value, walk)
        except Reject as reject:
            raise self._broken(reject) from None
        except Enough:
            raise Broken(_merged([*undone], walk.violations)) from None
        found = _merged([*undone], walk.violations) if undone else walk.violations
        if self._rules is not None:
            judged = self._rules.judge(self.descriptor, construct(self.descriptor, plain, wire))
            found = _merged(found, judged) if found else judged
        if found:
            raise Broken(found)
        return printed(plain)

    def _broken(self, reject: Reject) -> Broken:
        return Broken([Violation("", f"{self._subject} {reject.sentence}", reject.rule)])


def _merged(walked: list[Violation], judged: list[Violation]) -> list[Violation]:
    """Adds what the rules say, but not of a rejected field, nor of a message that lacks one because of it."""
    taken = {violation.field for violation in walked}
    return walked + [
        v for v in judged if not any(_is_within(v.field, t) or _is_within(t, v.field) for t in taken)
    ]


def _is_within(path: str, of: str) -> bool:
    return not of or path == of or (path.startswith(of) and path[len(of)] in ".[")
