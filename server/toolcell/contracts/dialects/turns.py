"""A model's turn: tool calls out of a provider's own message, results in the provider's own form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolcell.contracts.codec.text import Doubled, parse, printed
from toolcell.contracts.codec.walk import Reject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a turn: `arguments_json` is the text a model produced; `origin` is the provider's entry."""

    tool: str
    arguments_json: str
    tool_call_id: str = ""
    origin: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call: `output_json`, or in `error` a sentence for the model."""

    call: ToolCall
    output_json: str = ""
    error: str = ""


Read = Callable[[Any], list[ToolCall]]
Write = Callable[[Sequence[Result]], list[Any]]


class TurnInvalid(Exception):  # noqa: N818 - a state of the request
    """A message is not one of its provider's; `field` says where in it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Turns:
    """How one provider's messages are read and written.

    `read` takes the parsed message; `write` returns what to append to the conversation.
    """

    read: Read
    write: Write

    def calls(self, message_json: str) -> list[ToolCall]:
        """Returns the tool calls of a provider's message, or of a bare list of them; raises TurnInvalid."""
        try:
            return self.read(parse(message_json))
        except Reject as reject:
            raise TurnInvalid("", reject.sentence) from None
        except RecursionError:
            raise TurnInvalid("", "is nested too deeply") from None

    def results(self, results: Sequence[Result]) -> str:
        """Returns the results, in the order of the calls, as the text of a JSON array."""
        return printed(self.write(results))


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────


def entries(message: Any, *names: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns the entries of a list, or of the list that one of the names leads to, each with its place.

    A name such as `candidates.0.content.parts` leads through objects and lists. An object without any of the
    names' lists has no entries when it is a message at all; raises TurnInvalid for what is neither.
    """
    if isinstance(message, list):
        return _objects("", message)
    if not isinstance(message, dict):
        raise TurnInvalid("", "must be a message, or a list of tool calls")
    for name in names:
        found = _lead(message, name)
        if isinstance(found, list):
            return _objects(name, found)
    if any(name.partition(".")[0] in message for name in names):
        return []  # null, or text instead of a list of blocks: a turn without calls
    raise TurnInvalid("", f"must be a message with `{names[0]}`, or a list of tool calls")


def _lead(message: Any, name: str) -> Any:
    for part in name.split("."):
        if isinstance(message, dict):
            message = message.get(part)
        elif isinstance(message, list) and part.isdigit() and len(message) > int(part):
            message = message[int(part)]
        else:
            return None
    return message


def _objects(name: str, found: Sequence[Any]) -> list[tuple[str, Mapping[str, Any]]]:
    placed = [(f"{name}[{at}]", entry) for at, entry in enumerate(found)]
    for place, entry in placed:
        if not isinstance(entry, dict):
            raise TurnInvalid(place, "must be an object")
    return placed


def text_of(entry: Any, place: str, name: str, *, is_needed: bool = True) -> str:
    """Returns a string of an entry; "" for one that is not there and not needed. Raises TurnInvalid."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if value is None and not is_needed:
        return ""
    if not isinstance(value, str):
        raise TurnInvalid(f"{place}.{name}", "must be a string")
    return value


def arguments_of(value: Any) -> str:
    """Returns a call's arguments as JSON text, whether they came as a value or as text.

    A name that stands twice still does, so that the contract can refuse it.
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else printed(_faithful(value))


class _Again(str):
    """A name that may stand in an object beside itself."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _faithful(value: Any) -> Any:
    if isinstance(value, list):
        return [_faithful(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _faithful(item) for name, item in value.items()}
    for name in value.names if type(value) is Doubled else ():
        made[_Again(name)] = None
    return made


def spoken(result: Result) -> str:
    """Returns a result as the text that a model reads."""
    return f"Error: {result.error}" if result.error else result.output_json
