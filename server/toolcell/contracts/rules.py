"""protovalidate over one pool's messages; compiled at load, so that no call meets a broken rule."""

import re
from typing import Any, Final

import protovalidate
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor

from toolcell.contracts.codec.walk import Segment, rendered
from toolcell.contracts.fields import messages_within
from toolcell.contracts.options import Options
from toolcell.model.errors import Violation

_GROUP: Final = 32
"""Messages a Validator judges.

One costs 1 MiB empty, and what it compiles costs more the more it has compiled.
"""

MOST_WARM: Final = 64
"""Tools whose compiled rules are kept after loading.

Of more, each is compiled again (1 to 4 ms) at its first call.
"""

_NEVER_RIGHT: Final = (
    "Applying SELECT to non-message",
    "Invalid container type",
    "No matching overloads",
    "found in Activation",
    "no_such_field",
    "unexpected type",
)
"""What is said of expressions that are wrong for every value; their types are looked at when they run."""

_LONGEST: Final = 500  # characters of a rule's sentence
_COUNT: Final = re.compile(r"\b(\d+) (character|byte|entrie|item)(?:s|\(s\))$")
_SINGULAR: Final = {"entrie": "entry"}


class RulesInvalid(Exception):  # noqa: N818 - a state of the contract
    """A message's rules do not compile; says which message and why."""


class Rules:
    """Compiles and applies the rules of one pool's messages.

    Any thread may judge: a Validator may be shared, and what two threads make at once here is made twice.
    Compiling belongs to the thread that loads.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._judges: dict[str, Any] = {}
        self._newest: tuple[Any, int] = (None, 0)
        self._effective: dict[str, frozenset[str]] = {}
        self._constrained: dict[str, bool] = {}

    def is_constrained(self, root: Descriptor) -> bool:
        """Tells whether a message or anything within it has rules."""
        known = self._constrained.get(root.full_name)
        if known is None:
            known = any(self._options.is_constrained(message) for message in messages_within(root).values())
            self._constrained[root.full_name] = known
        return known

    def compile(self, root: Descriptor) -> None:
        """Compiles the rules of a message and everything within it; raises RulesInvalid."""
        if not self.is_constrained(root):
            return
        judge = self._judge(root)
        for name, message in messages_within(root).items():
            if name not in self._effective and self._options.is_constrained(message):
                self._effective[name] = _effective_required(judge, message)

    def effective_required(self, message: Descriptor) -> frozenset[str]:
        """Returns the fields without which an empty message breaks a rule; known once it is compiled."""
        return self._effective.get(message.full_name, frozenset())

    def forget(self) -> None:
        """Drops what was compiled, to be compiled again where it is used."""
        self._judges.clear()
        self._newest = (None, 0)

    def judge(self, descriptor: Descriptor, message: Any) -> list[Violation]:
        """Returns what a message violates, everything at once."""
        try:
            found = self._judge(descriptor).collect_violations(message)
        except (protovalidate.EvaluationError, protovalidate.CompilationError):
            sentence = "a rule of the contract cannot be evaluated for these values; try simpler ones"
            return [Violation("", sentence, "EVALUATION_FAILED")]
        except (
            ValueError
        ):  # a rule wants the message's bytes, whose readers stop at 100 levels; JSON has fewer
            sentence = "the values are nested too deeply for the contract's rules to be evaluated"
            return [Violation("", sentence, "TOO_DEEP")]
        return [_violation(violation.proto) for violation in found]

    def _judge(self, root: Descriptor) -> Any:
        judge = self._judges.get(root.full_name)
        if judge is None:
            judge, used = self._newest
            if judge is None or used >= _GROUP:
                judge, used = protovalidate.Validator(), 0
            self._newest = (judge, used + 1)
            self._judges[root.full_name] = judge
        return judge


def _effective_required(judge: Any, message: Descriptor) -> frozenset[str]:
    try:
        found = judge.collect_violations(message_factory.GetMessageClass(message)())
    except protovalidate.CompilationError as wrong:
        raise RulesInvalid(f"the rules of {message.full_name} do not compile: {wrong}"[:_LONGEST]) from None
    except protovalidate.EvaluationError as wrong:
        if any(words in str(wrong) for words in _NEVER_RIGHT):
            message_name = f"a rule of {message.full_name}"
            raise RulesInvalid(f"{message_name} can never be evaluated: {wrong}"[:_LONGEST]) from None
        return frozenset()  # the rule has no answer for zeros only, such as a division by one
    paths = (violation.proto.field.elements for violation in found if violation.proto.field is not None)
    names = {path[0].field_name for path in paths if len(path) == 1}
    return frozenset(name for name in names if name in message.fields_by_name)


def _violation(proto: Any) -> Violation:
    path: list[Segment] = []
    for element in proto.field.elements if proto.field is not None else ():
        path.append(element.field_name)
        if element.subscript is not None:
            path.append(_segment(element.subscript.value))
    said = _COUNT.sub(_counted, proto.message) or f"breaks the rule {proto.rule_id}"
    if proto.for_key:
        said = f"the key {said}"
    return Violation(rendered(path), said[:_LONGEST], proto.rule_id)


def _counted(found: re.Match[str]) -> str:
    """Says `1 character` and `2 items` where protovalidate's own rules say `1 characters` and `2 item(s)`."""
    number, noun = found.groups()
    return f"{number} {noun}s" if number != "1" else f"1 {_SINGULAR.get(noun, noun)}"


def _segment(key: Any) -> Segment:
    if isinstance(key, bool):
        return (str(key).lower(),)
    return int(key) if isinstance(key, int) else (str(key),)
