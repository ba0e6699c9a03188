"""Reflection shows what is served, to whom it may be shown, and nothing else."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb

from tests.contracts.workspace import workspace
from tests.unit.transports.house import House, house, info, refusal
from toolcell.contracts.excerpt import excerpt
from toolcell.transports.grpc import reflection

STABLE, ALPHA = "grpc.reflection.v1", "grpc.reflection.v1alpha"
OWN = {
    *(f"toolcell.v1.{kind}Service" for kind in ("Tool", "Job", "Trace", "Admin")),
    "grpc.health.v1.Health", f"{STABLE}.ServerReflection", f"{ALPHA}.ServerReflection",
}  # fmt: skip
SHARED = """syntax = "proto3";
package zoo.v1;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { Mark mark = 50001; }
// Marks a field.
message Mark { string word = 1; }
// Only the lion needs it.
message Secret { string word = 1; }
"""
ZOO = """// A header.
syntax = "proto3";

package zoo.v1;

import "shared.proto";
import "toolcell/v1/options.proto";

// Never shown to who may only feed.
message LionAsk {
  // The secret.
  Secret secret = 1;
}
// What feeding needs.
message FeedAsk {
  // How much.
  Amount amount = 1 [(mark) = {word: "m"}];
  // Who.
  Kind.Is kind = 2;
}
// An amount.
message Amount { int32 grams = 1; }
// The lion's answer.
message LionAnswer { string roar = 1; }
// Holds an enum.
message Kind {
  // Which.
  enum Is { IS_UNSPECIFIED = 0; }
}
// Hidden.
enum Mane { MANE_UNSPECIFIED = 0; }
// The other service.
service LionService {
  // Wakes the lion.
  rpc Wake(LionAsk) returns (LionAnswer);
}
// The zoo.
service ZooService {
  // Counts the lions.
  rpc CountLions(LionAsk) returns (LionAnswer);
  // Feeds an animal.
  rpc Feed(FeedAsk) returns (Amount) { option (toolcell.v1.tool) = { title: "Feed" }; }
}
"""
FILES = {"protos/zoo.proto": ZOO, "protos/shared.proto": SHARED}


class Reader:
    """One stream of a version of the reflection."""

    def __init__(self, served: House, version: str, metadata: Any) -> None:
        method: Any = served.channel.stream_stream(f"/{version}.ServerReflection/ServerReflectionInfo")
        self._call = method(metadata=metadata)

    async def ask(self, **parts: Any) -> pb.ServerReflectionResponse:
        request = pb.ServerReflectionRequest(host="h", **parts)
        await self._call.write(request.SerializeToString())
        body = await self._call.read()
        answer = pb.ServerReflectionResponse.FromString(body)
        assert (answer.valid_host, answer.original_request) == ("h", request)
        return answer

    async def services(self) -> set[str]:
        answer = await self.ask(list_services="")
        return {service.name for service in answer.list_services_response.service}

    async def files(self, **parts: Any) -> dict[str, FileDescriptorProto]:
        answer = await self.ask(**parts)
        made = map(FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto)
        return {file.name: file for file in made}

    async def error(self, **parts: Any) -> int:
        return int((await self.ask(**parts)).error_response.error_code)

    async def end(self) -> None:
        await self._call.done_writing()
        assert await self._call.code() is grpc.StatusCode.OK


@pytest.fixture
async def zoo(served: House, tmp_path: Path) -> House:
    """A server that serves the zoo."""
    catalog = workspace(tmp_path, FILES)
    await catalog.load()
    served.catalog.snapshot = catalog.snapshot
    return served


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    locations = file.source_code_info.location
    return {tuple(it.path): it.leading_comments.strip() for it in locations if it.leading_comments}


def pool_of(files: dict[str, FileDescriptorProto]) -> DescriptorPool:
    """Links files as a client does, which fails when something is missing."""
    pool, waiting = DescriptorPool(), dict(files)

    def add(name: str) -> None:
        if file := waiting.pop(name, None):
            for imported in file.dependency:
                add(imported)
            pool.AddSerializedFile(file.SerializeToString())

    for name in files:
        add(name)
    for file in files.values():
        pool.FindFileByName(file.name)
    return pool


@pytest.mark.parametrize("version", [STABLE, ALPHA])
async def test_both_versions_show_tools_with_comments_and_options(zoo: House, version: str) -> None:
    reader = Reader(zoo, version, zoo.metadata)
    assert await reader.services() == OWN | {"zoo.v1.ZooService", "zoo.v1.LionService"}
    files = await reader.files(file_containing_symbol="zoo.v1.ZooService.Feed")
    assert set(files) >= {"zoo.proto", "shared.proto", "toolcell/v1/options.proto"}
    assert "Feeds an animal." in comments(files["zoo.proto"]).values()
    feed = pool_of(files).FindServiceByName("zoo.v1.ZooService").methods_by_name["Feed"]
    assert b"Feed" in feed.GetOptions().SerializeToString()
    await reader.end()


async def test_every_kind_of_question_has_its_answer(zoo: House) -> None:
    reader = Reader(zoo, STABLE, zoo.metadata)
    for symbol in ("zoo.v1.FeedAsk", "zoo.v1.FeedAsk.amount", "zoo.v1.Kind.Is", "zoo.v1.Kind.IS_UNSPECIFIED",
                   ".zoo.v1.Mane", "zoo.v1.MANE_UNSPECIFIED", "zoo.v1.LionService"):  # fmt: skip
        assert "zoo.proto" in await reader.files(file_containing_symbol=symbol), symbol
    assert list(await reader.files(file_by_filename="shared.proto")) == ["shared.proto"], "imports were sent"
    extension = pb.ExtensionRequest(containing_type="google.protobuf.FieldOptions", extension_number=50001)
    assert "shared.proto" in await reader.files(file_containing_extension=extension)
    numbers = await reader.ask(all_extension_numbers_of_type="google.protobuf.FieldOptions")
    assert list(numbers.all_extension_numbers_response.extension_number) == [50001]
    assert numbers.all_extension_numbers_response.base_type_name == "google.protobuf.FieldOptions"
    none = await reader.ask(all_extension_numbers_of_type="zoo.v1.Amount")
    assert list(none.all_extension_numbers_response.extension_number) == []
    extension.extension_number = 1
    for nothing in (
        {"file_by_filename": "none.proto"}, {"file_containing_symbol": "zoo.v1.None"},
        {"file_containing_extension": extension}, {"all_extension_numbers_of_type": "zoo.v1.None"}, {},
    ):  # fmt: skip
        assert await reader.error(**nothing) == grpc.StatusCode.NOT_FOUND.value[0]
    await reader.end()


@pytest.mark.parametrize("service", sorted(OWN))
async def test_every_service_of_the_server_s_own_can_be_linked(zoo: House, service: str) -> None:
    reader = Reader(zoo, STABLE, zoo.metadata)
    files = await reader.files(file_containing_symbol=service)
    assert pool_of(files).FindServiceByName(service).full_name == service
    fields = [field for file in files.values() for message in file.message_type for field in message.field]
    assert all(field.json_name for field in fields)
    await reader.end()


@pytest.mark.parametrize("symbol", ["google.rpc.ErrorInfo", "google.rpc.BadRequest", "toolcell.v1.Failure"])
async def test_the_details_of_a_status_can_be_read(zoo: House, symbol: str) -> None:
    reader = Reader(zoo, STABLE, await zoo.token("traces", tools=()))
    found = pool_of(await reader.files(file_containing_symbol=symbol)).FindMessageTypeByName(symbol)
    assert found.full_name == symbol
    await reader.end()


async def test_who_may_call_a_part_sees_that_part(zoo: House) -> None:
    reader = Reader(zoo, STABLE, await zoo.token("invoke", tools=("feed",)))
    assert await reader.services() == OWN | {"zoo.v1.ZooService"}
    files = await reader.files(file_containing_symbol="zoo.v1.ZooService")
    text = "".join(str(files[name]) for name in ("zoo.proto", "shared.proto"))
    for word in ("Lion", "lion", "Mane", "Secret", "secret", "Hidden", "Wake"):
        assert word not in text, word
    pool = pool_of(files)
    assert list(pool.FindServiceByName("zoo.v1.ZooService").methods_by_name) == ["Feed"]
    assert pool.FindExtensionByName("zoo.v1.mark").number == 50001
    zoo_file = files["zoo.proto"]
    assert [message.name for message in zoo_file.message_type] == ["FeedAsk", "Amount", "Kind"]
    found = comments(zoo_file)
    assert found[4, 0] == "What feeding needs."
    assert found[4, 0, 2, 1] == "Who."
    assert found[4, 2, 4, 0] == "Which."
    assert found[6, 0] == "The zoo."
    assert found[6, 0, 2, 0] == "Feeds an animal."
    assert found[12,] == "A header."
    for symbol in ("zoo.v1.LionAsk", "zoo.v1.Secret", "zoo.v1.LionService", "zoo.v1.ZooService.CountLions"):
        assert await reader.error(file_containing_symbol=symbol) == 5
    await reader.end()


async def test_who_may_call_nothing_sees_the_server_s_own_services(zoo: House) -> None:
    reader = Reader(zoo, STABLE, await zoo.token("traces", tools=()))
    assert await reader.services() == OWN
    assert await reader.error(file_by_filename="zoo.proto") == 5
    await reader.end()


@pytest.mark.parametrize("version", [STABLE, ALPHA])
async def test_a_stranger_is_refused(zoo: House, version: str) -> None:
    assert info(await refusal(Reader(zoo, version, ())._call.read())).reason == "TOKEN_MISSING"


async def test_an_open_server_shows_itself_to_everybody(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, FILES)
    await catalog.load()
    async with house(tmp_path / "state", reflection="open") as served:
        served.catalog.snapshot = catalog.snapshot
        reader = Reader(served, STABLE, ())
        assert await reader.services() == OWN | {"zoo.v1.ZooService", "zoo.v1.LionService"}
        await reader.end()


async def test_off_is_off(tmp_path: Path) -> None:
    async with house(tmp_path, reflection="off") as served:
        error = await refusal(Reader(served, STABLE, served.metadata)._call.read())
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert info(error).reason == "METHOD_NOT_FOUND"


async def test_a_stream_keeps_its_snapshot_and_the_next_one_has_the_new(zoo: House, tmp_path: Path) -> None:
    before = Reader(zoo, STABLE, zoo.metadata)
    await before.services()
    catalog = workspace(tmp_path, {"protos/zoo.proto": ZOO.replace("LionService", "TigerService")})
    await catalog.load()
    zoo.catalog.snapshot = catalog.snapshot
    after = Reader(zoo, STABLE, zoo.metadata)
    assert "zoo.v1.TigerService" in await after.services()
    assert "zoo.v1.LionService" in await before.services()
    assert await after.error(file_containing_symbol="zoo.v1.LionService") == 5
    await before.end()
    await after.end()


async def test_bytes_that_are_no_question_are_refused(zoo: House) -> None:
    reader = Reader(zoo, STABLE, zoo.metadata)
    await reader._call.write(b"\xff\xff")
    assert info(await refusal(reader._call.read())).reason == "REQUEST_INVALID"


async def test_streams_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflection, "_STREAMS", 1)
    async with house(tmp_path, reflection="open") as served:
        served.serve()
        first = Reader(served, STABLE, ())
        await first.services()
        assert info(await refusal(Reader(served, STABLE, ())._call.read())).reason == "SERVER_OVERLOADED"
        await first.end()
        second = Reader(served, STABLE, ())
        assert await second.services() == OWN
        await second.end()


async def test_a_silent_client_is_sent_away(zoo: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflection, "_IDLE_SECONDS", 0.01)
    assert info(await refusal(Reader(zoo, STABLE, zoo.metadata)._call.read())).reason == "REQUEST_INVALID"


async def test_indexes_are_made_once_for_each_view_and_few_are_kept(
    zoo: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflection, "_INDEXES", 2)
    for tools in (("feed",), ("wake",), ("fee*",), ("count_lions",), ("*",), ("f*", "w*", "c*")):
        reader = Reader(zoo, STABLE, await zoo.token("invoke", tools=tools))
        await reader.services()
        await reader.end()
    assert zoo.server._reflection is not None
    assert list(zoo.server._reflection._indexes[1]) == [("count_lions",), None]


async def test_an_excerpt_leaves_the_contracts_as_they_are(zoo: House) -> None:
    entries = zoo.catalog.snapshot.entries
    before = entries["feed"].contract.definitions.files["zoo.proto"].SerializeToString()
    assert "Wake" not in str(excerpt([entries["feed"]])["zoo.proto"])
    assert entries["feed"].contract.definitions.files["zoo.proto"].SerializeToString() == before
