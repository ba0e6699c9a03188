"""Methods become tools: name, title, description, limits and messages, as the contract declares them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import empty_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.codec.wellknown import ANY, PREFIX, READERS
from toolcell.contracts.contract import Contract
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.options import TOOL
from toolcell.contracts.requirements import endless
from toolcell.contracts.rules import RulesInvalid
from toolcell.contracts.sources import snake_case
from toolcell.model.tool import Cause, Idempotency, Unavailable

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
_RESERVED_NAME: Final = "toolcell_"
_MOST_TIMEOUT_SECONDS: Final = 3600.0
_OBJECTS: Final = frozenset({f"{PREFIX}Struct"})  # well-known types whose JSON is an object
_IDEMPOTENCY: Final = {
    MethodOptions.NO_SIDE_EFFECTS: Idempotency.NO_SIDE_EFFECTS,
    MethodOptions.IDEMPOTENT: Idempotency.IDEMPOTENT,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A tool as its contract declares it.

    0 stands for no limit of its own; `wrong` says why it cannot be served.
    """

    name: str
    place: str
    contract: Contract
    title: str = ""
    description: str = ""
    path: str = ""
    idempotency: Idempotency = Idempotency.UNSET
    timeout_seconds: float = 0.0
    output_limit_bytes: int = 0
    wrong: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A method that is no tool, and why; `name` is what the tool would be called."""

    name: str
    place: str
    message: str
    remedy: str


class _Wrong(Exception):  # noqa: N818 - a state of the declaration
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def declare(
    definitions: Definitions, names: Iterable[str], kept: Mapping[str, Contract], generation: int
) -> Iterator[Declared | Passed]:
    """Yields every method of the named files, as a tool or as what is none.

    A tool whose files did not change keeps its contract from `kept`, and is not checked again.
    """
    for name in sorted(names):
        version = definitions.digest(name), generation
        for service in definitions.file(name).services_by_name.values():
            for method in service.methods:
                yield _declare(method, definitions, version, kept)


def unknown_contract(tool: str) -> Contract:
    """Returns the contract of a tool whose own is not known: no fields in, none out."""
    return Contract(tool, (_NOTHING, _NOTHING), _NOTHING_DEFINED, "")


_EMPTY_FILE: Final = FileDescriptorProto.FromString(empty_pb2.DESCRIPTOR.serialized_pb)
_NOTHING_DEFINED: Final = Definitions([_EMPTY_FILE])
_NOTHING: Final = _NOTHING_DEFINED.pool.FindMessageTypeByName("google.protobuf.Empty")


def _declare(
    method: MethodDescriptor, definitions: Definitions, version: tuple[str, int], kept: Mapping[str, Contract]
) -> Declared | Passed:
    options = definitions.options.read(method, TOOL)
    name = (options.name if options is not None else "") or snake_case(method.name)
    place = definitions.comments.place(method)
    if method.client_streaming or method.server_streaming:
        message = f"the method {method.full_name} streams, so it is no tool"
        return Passed(name, place, message, "Make it unary to offer it to models.")
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED_NAME):
        message = (
            f"the name {name!r} of {method.full_name} is reserved or not one that every model provider takes"
        )
        remedy = 'Set `name` in (toolcell.v1.tool): letters, digits, _ and -, at most 64, not "toolcell_…".'
        return Passed(name, place, message, remedy)
    path = f"/{method.containing_service.full_name}/{method.name}"
    digest = f"{version[0]}{path}"
    contract = kept.get(name)
    wrong = None
    try:
        timeout, output_limit = _limits(options)
        if contract is None or contract.digest != digest:
            _check(method, definitions)
            messages = (method.input_type, method.output_type)
            contract = Contract(name, messages, definitions, digest, version[1])
    except _Wrong as reason:
        timeout, output_limit, contract = 0.0, 0, unknown_contract(name)
        wrong = Unavailable(Cause.CONTRACT_INVALID, str(reason), place, reason.remedy)
    return Declared(
        name=name,
        place=place,
        contract=contract,
        title=options.title if options is not None else "",
        description=definitions.comments.of_method(method),
        path=path,
        idempotency=_IDEMPOTENCY.get(method.GetOptions().idempotency_level, Idempotency.UNSET),
        timeout_seconds=timeout,
        output_limit_bytes=output_limit,
        wrong=wrong,
    )


def _limits(options: Any) -> tuple[float, int]:
    """Reads timeout and output limit, 0 for not set."""
    if options is None:
        return 0.0, 0
    timeout = options.timeout.seconds + options.timeout.nanos / 1e9
    if options.HasField("timeout") and not 0 < timeout <= _MOST_TIMEOUT_SECONDS:
        raise _Wrong(
            f"the option timeout is {timeout:g} s", f"Set more than 0, at most {_MOST_TIMEOUT_SECONDS:g} s."
        )
    if options.output_limit_bytes < 0:
        raise _Wrong("the option output_limit_bytes is negative", "Set the bytes that an answer may have.")
    return timeout, options.output_limit_bytes


def _check(method: MethodDescriptor, definitions: Definitions) -> None:
    """Raises _Wrong for messages that no call could use."""
    for word, message, direction in (
        ("request", method.input_type, Direction.INPUT),
        ("response", method.output_type, Direction.OUTPUT),
    ):
        name = message.full_name
        if (name in READERS or name == ANY) and name not in _OBJECTS:
            raise _Wrong(
                f"the {word} of {method.full_name} is {name}, whose JSON a tool cannot have",
                f"Put it into a message of its own: message {method.name}{word.capitalize()} {{ … }}.",
            )
        try:
            definitions.rules.compile(message)
        except RulesInvalid as wrong:
            raise _Wrong(str(wrong), "Correct the rule: protovalidate says what it expects.") from None
        if cyclic := endless(message, definitions, direction):
            raise _Wrong(
                f"the {word} of {method.full_name} holds {cyclic}, which requires itself: no value is finite",
                "Make one of the required fields optional or repeated.",
            )
