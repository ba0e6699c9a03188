"""Messages that nobody here wrote, googleapis-common-protos, go there and back like our own."""

import functools
import importlib
import json
from typing import Any

import jsonschema_rs
from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.instances import messages
from tests.contracts.workspace import attempt
from toolcell.contracts.contract import Contract
from toolcell.contracts.definitions import Definitions
from toolcell.model.errors import Violation

MODULES = tuple(
    importlib.import_module(f"google.{name}_pb2")
    for name in (
        *(
            "api.auth",
            "api.backend",
            "api.client",
            "api.distribution",
            "api.http",
            "api.quota",
            "api.service",
        ),
        *("rpc.error_details", "rpc.status"),
        *("type.date", "type.datetime", "type.expr", "type.money", "type.postal_address"),
    )
)


def files() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """Returns the modules' files, imports before importers."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def take(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            take(imported)
        found.setdefault(file.name, descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb))

    for module in MODULES:
        take(module.DESCRIPTOR)
    return found


@functools.cache
def contracts() -> list[Contract]:
    definitions = Definitions(files().values())
    assert not definitions.refused
    return [
        Contract(name, (descriptor, descriptor), definitions, "")
        for module in MODULES
        for name, descriptor in sorted(definitions.file(module.DESCRIPTOR.name).message_types_by_name.items())
    ]


def parsed(descriptor: Descriptor, text: str, pool: Any) -> Any:
    return json_format.Parse(text, message_factory.GetMessageClass(descriptor)(), descriptor_pool=pool)


def is_strange(violation: Violation) -> bool:
    """Tells whether an Any was refused because it is of one of our own types, which these contracts lack."""
    return violation.description.startswith('needs a known type in "@type"')


@given(
    st.integers(0, len(contracts()) - 1).flatmap(
        lambda n: st.tuples(st.just(n), messages(contracts()[n].input))
    )
)
def test_foreign_messages_go_there_and_back(pair: tuple[int, Any]) -> None:
    entry, instance = contracts()[pair[0]], pair[1]
    canonical, violations = attempt(entry, json.dumps(instance))
    assert not [v for v in violations if v.rule not in {"required", "UNKNOWN_FIELD"} and not is_strange(v)]
    if canonical is None:
        return
    pool = entry.definitions.pool
    assert parsed(entry.input, canonical, pool) == parsed(entry.input, json.dumps(instance), pool)
    assert jsonschema_rs.Draft202012Validator(entry.input_schema).is_valid(instance)
    printed = json.loads(entry.encode(json.loads(canonical)))
    assert jsonschema_rs.Draft202012Validator(entry.output_schema).is_valid(printed)


def test_there_are_many_of_them() -> None:
    assert len(contracts()) > 40
