"""One tool's messages: what a model may send, what a handler may answer, and the schemas that say so."""

from functools import cached_property
from typing import Any, Final

from google.protobuf.descriptor import Descriptor

from toolcell.contracts.arguments import Arguments, arguments
from toolcell.contracts.codec.text import parse, printed
from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.exchange import Broken, Exchange
from toolcell.contracts.form import Unfit
from toolcell.contracts.schema import Schema
from toolcell.model.errors import InputInvalid, InputTooLarge, OutputInvalid
from toolcell.model.tool import MIB

MOST_BYTES: Final = 16 * MIB
"""Characters of arguments that are looked at, whatever a door lets through."""


class Contract:
    """Decodes arguments and encodes answers of one tool, in any thread.

    `digest` covers the files it is made from; `generation` counts the loads until it was made.
    """

    def __init__(
        self,
        tool: str,
        messages: tuple[Descriptor, Descriptor],
        definitions: Definitions,
        digest: str,
        generation: int = 0,
    ) -> None:
        self.tool = tool
        self.digest = digest
        self.generation = generation
        self.input, self.output = messages
        self.definitions = definitions
        self._arguments = Exchange(self.input, definitions, Direction.INPUT)
        self._answer = Exchange(self.output, definitions, Direction.OUTPUT)
        self._said: dict[type[Schema], Arguments | Unfit] = {}

    def said(self, kind: type[Schema]) -> Arguments:
        """Returns the arguments in a form; raises Unfit, which says why they cannot be said in it."""
        if kind not in self._said:
            try:
                self._said[kind] = arguments(self.input, self.definitions, kind)
            except Unfit as unfit:
                self._said[kind] = Unfit(str(unfit))
        said = self._said[kind]
        if isinstance(said, Unfit):
            raise Unfit(str(said))
        return said

    def compact_schema(self, kind: type[Schema]) -> dict[str, Any]:
        """Returns the schema of the arguments with the first sentences of its comments only; raises Unfit."""
        return arguments(self.input, self.definitions, kind, is_compact=True).schema

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments; not to be changed."""
        return self.said(Schema).schema

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of the answer; not to be changed."""
        return Schema(self.definitions, Direction.OUTPUT).of(self.output)

    @cached_property
    def input_schema_json(self) -> str:
        """The JSON Schema 2020-12 of the arguments, as text."""
        return printed(self.input_schema)

    @cached_property
    def output_schema_json(self) -> str:
        """The JSON Schema 2020-12 of the answer, as text."""
        return printed(self.output_schema)

    def decode(self, arguments_json: str, kind: type[Schema] = Schema) -> str:
        """Turns JSON text from a model, in the form it was shown, into canonical ProtoJSON for the handler.

        Names are the proto's own and absent fields without presence have their zero, so that a handler finds
        them. Empty text is an empty object. Raises InputInvalid with every violation, at most 20,
        InputTooLarge, and Unfit where no model was shown the form.
        """
        if len(arguments_json) > MOST_BYTES:
            raise InputTooLarge(size=len(arguments_json), limit=MOST_BYTES)
        try:
            return self._arguments.text(arguments_json, None if kind.form.is_plain else self.said(kind).step)
        except Broken as broken:
            raise InputInvalid(violations=broken.violations, tool=self.tool) from None

    def shown(self, canonical_json: str, kind: type[Schema]) -> str:
        """Turns what `decode` returned into the arguments that a model would send in a form; raises Unfit."""
        return printed(self.said(kind).step.apply(parse(canonical_json)))

    def decode_wire(self, arguments: bytes) -> str:
        """Turns the bytes of a request message into the same text that `decode` makes of its JSON.

        A field without presence is always there, with its zero. A field number that the contract does not
        know is a violation, as an unknown name is in JSON: what the caller meant by it would be lost. Raises
        InputInvalid and InputTooLarge.
        """
        if len(arguments) > MOST_BYTES:
            raise InputTooLarge(size=len(arguments), limit=MOST_BYTES)
        try:
            return self._arguments.from_wire(arguments)
        except Broken as broken:
            raise InputInvalid(violations=broken.violations, tool=self.tool) from None

    def encode_wire(self, output_json: str) -> bytes:
        """Turns text that `encode` made into the bytes of the response message."""
        return self._answer.to_wire(output_json)

    def encode(self, value: object) -> str:
        """Turns a handler's JSON value into canonical ProtoJSON text, zeros printed.

        Raises OutputInvalid; its violations are for the trace, `field` names the first one.
        """
        try:
            return self._answer.value(value)
        except Broken as broken:
            field = broken.violations[0].field
            raise OutputInvalid(violations=broken.violations, tool=self.tool, field=field) from None
