"""What is rewritten at one place of a dialect's arguments: a string of JSON, pairs for a map, and so on."""

from typing import Any, Final, Protocol

from toolcell.contracts.codec.text import Doubled, parse, printed
from toolcell.contracts.codec.walk import Reject, Walk

ABSENT: Final = object()
"""Stands for what was rejected, and so is left out."""


class Step(Protocol):
    """What is rewritten at one place of the arguments."""

    def undo(self, value: Any, walk: Walk) -> Any:
        """Returns ProtoJSON; notes on the walk, or rejects, what the dialect does not offer."""
        ...

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value of canonical ProtoJSON."""
        ...


class Same:
    """Nothing."""

    def undo(self, value: Any, _walk: Walk) -> Any:
        """Returns ProtoJSON."""
        return value

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value."""
        return value


class Text:
    """A string of JSON."""

    def undo(self, value: Any, _walk: Walk) -> Any:
        """Returns ProtoJSON."""
        if type(value) is not str or not value or value.isspace():
            raise Reject("WRONG_TYPE", "must be a string that holds JSON")
        try:
            return parse(value)
        except Reject as reject:
            sentence = reject.sentence.partition(";")[0]
            raise Reject(reject.rule, f"must be a string that holds JSON; it {sentence}") from None

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value."""
        return printed(value)


class NullName:
    """The only value of google.protobuf.NullValue by its name, as null would mean absent."""

    def undo(self, value: Any, _walk: Walk) -> Any:
        """Returns ProtoJSON."""
        return value

    def apply(self, _value: Any) -> Any:
        """Returns the dialect's value."""
        return "NULL_VALUE"


SAME: Final = Same()
TEXT: Final = Text()
NULL_NAME: Final = NullName()


class Items:
    """The items of a list."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def undo(self, value: Any, walk: Walk) -> Any:
        """Returns ProtoJSON."""
        if self._step is SAME or type(value) is not list:
            return value
        made = []
        for at, item in enumerate(value):
            found = within(self._step, item, walk, at)
            made += [] if found is ABSENT else [found]
        return made

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value."""
        return [self._step.apply(item) for item in value]


class Entries:
    """The values of a map."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def undo(self, value: Any, walk: Walk) -> Any:
        """Returns ProtoJSON."""
        if self._step is SAME or not isinstance(value, dict):
            return value
        found = {name: within(self._step, item, walk, (str(name),)) for name, item in value.items()}
        return like(value, {name: item for name, item in found.items() if item is not ABSENT})

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value."""
        return {key: self._step.apply(item) for key, item in value.items()}


class Pairs:
    """A map as an array of {key, value}."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def undo(self, value: Any, walk: Walk) -> Any:
        """Returns ProtoJSON."""
        if type(value) is not list:
            raise Reject("WRONG_TYPE", "must be an array of objects with `key` and `value`")
        walk.hold(len(value))
        made, twice = {}, []
        for at, pair in enumerate(value):
            if type(pair) is not dict or pair.keys() != {"key", "value"} or type(pair["key"]) is not str:
                walk.add((at,), "WRONG_TYPE", "must be an object with `key`, a string, and `value`")
                continue
            item = within(self._step, pair["value"], walk, at, "value")
            if pair["key"] in made:
                twice.append(pair["key"])
            elif item is not ABSENT:
                made[pair["key"]] = item
        return doubled(made, twice)

    def apply(self, value: Any) -> Any:
        """Returns the dialect's value."""
        return [{"key": key, "value": self._step.apply(item)} for key, item in value.items()]


def within(step: Step, value: Any, walk: Walk, *segments: Any) -> Any:
    """Undoes a value one place further down; ABSENT stands for what was rejected."""
    path, level, depth = walk.path, len(walk.path), walk.depth
    path.extend(segments)
    try:
        return step.undo(value, walk)
    except Reject as reject:
        walk.depth = depth
        walk.add((), reject.rule, reject.sentence)
        return ABSENT
    finally:
        del path[level:]


def like(value: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Returns an object in which the same names stand twice as in another."""
    return doubled(made, value.names) if type(value) is Doubled else made


def doubled(made: dict[str, Any], names: Any) -> dict[str, Any]:
    """Returns an object in which some names stand twice."""
    if not names:
        return made
    twice = Doubled(made)
    twice.names = tuple(names)
    return twice
