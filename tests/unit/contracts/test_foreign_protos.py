"""Messages that nobody here wrote: all of googleapis-common-protos, in every dialect."""

import functools
import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping

import google.api
import google.rpc
import google.type  # type: ignore[import-untyped] # it ships no types
import jsonschema_rs
import llguidance
import pytest
from agents.strict_schema import ensure_strict_json_schema
from google.genai import types as gemini
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from toolcell.contracts import dialects
from toolcell.contracts.codec.walk import Direction
from toolcell.contracts.contract import Contract
from toolcell.contracts.definitions import Definitions
from toolcell.contracts.form import Unfit
from toolcell.contracts.requirements import endless
from toolcell.model.errors import InputInvalid


def files() -> Iterator[FileDescriptorProto]:
    """Yields every file of the packages, and before it what it imports."""
    seen: set[str] = set()

    def visit(file: FileDescriptor) -> Iterator[FileDescriptorProto]:
        if file.name not in seen:
            seen.add(file.name)
            for imported in file.dependencies:
                yield from visit(imported)
            yield FileDescriptorProto.FromString(file.serialized_pb)

    for package in (google.api, google.rpc, google.type):
        for found in pkgutil.iter_modules(package.__path__):
            if found.name.endswith("_pb2"):
                yield from visit(importlib.import_module(f"{package.__name__}.{found.name}").DESCRIPTOR)


@functools.cache
def contracts() -> Mapping[str, Contract]:
    """Returns a contract whose input and output is the message, for each message with a finite value."""
    every = [*files()]
    definitions = Definitions(every)
    assert definitions.refused == {}
    roots = (
        message for file in every for message in definitions.file(file.name).message_types_by_name.values()
    )
    return {
        message.full_name: Contract("tool", (message, message), definitions, "")
        for message in roots
        if not message.full_name.startswith("google.protobuf.") and not _is_endless(message, definitions)
    }


def _is_endless(message: Descriptor, definitions: Definitions) -> bool:
    return bool(endless(message, definitions, Direction.INPUT))


def test_there_are_many() -> None:
    assert len(contracts()) > 90


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_every_message_is_said_and_understood(name: str) -> None:
    dialect = dialects.find(name)
    for contract in contracts().values():
        variant, reasons = dialect._choose(contract)
        if variant is None:
            assert reasons
            continue
        schema = contract.said(variant.kind).schema
        if name != "gemini-schema":
            jsonschema_rs.Draft202012Validator(schema)
        try:
            meant = dialect.decode(contract, "{}")
        except InputInvalid:
            continue  # something is required
        assert dialect.decode(contract, dialect.encode(contract, meant)) == meant


def test_openai_s_strict_function_finds_nothing_to_change() -> None:
    for schema in strict("openai-chat-strict"):
        assert ensure_strict_json_schema(json.loads(json.dumps(schema))) == schema


@pytest.mark.parametrize("name", ["openai-chat-strict", "anthropic-strict"])
def test_every_strict_schema_is_a_grammar(name: str) -> None:
    tokens = llguidance.LLTokenizer("byte")
    for schema in strict(name):
        assert (
            llguidance.LLMatcher.validate_grammar(json.dumps({"grammars": [{"json_schema": schema}]}), tokens)
            == ""
        )


def strict(name: str) -> Iterator[dict[str, object]]:
    kind = dialects.find(name).variants[0].kind
    for contract in contracts().values():
        try:
            yield contract.said(kind).schema
        except Unfit:
            continue


def test_google_s_own_type_takes_every_schema() -> None:
    kind = dialects.find("gemini-schema").variants[0].kind
    for contract in contracts().values():
        gemini.Schema.model_validate(contract.said(kind).schema)
