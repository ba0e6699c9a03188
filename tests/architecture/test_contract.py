"""The public contract: the committed code is what protos/ say, and a breaking change of it is noticed."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc import StatusCode

from tests.architecture.sources import ROOT
from toolcell.model.tool import Cause

PROTOS = ROOT / "protos"
SERVER = ROOT / "server/toolcell/v1"
CLIENT = ROOT / "clients/python/toolcell/v1"


def buf(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    program = Path(sys.executable).with_name("buf")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, check=False)


def image(*options: str, folder: Path = ROOT) -> list[FileDescriptorProto]:
    """Compiles the public contract with buf."""
    run = buf(
        "build", "--as-file-descriptor-set", "-o", "-", "--path", "protos/toolcell", *options, folder=folder
    )
    assert run.returncode == 0, run.stderr.decode()
    return [file for file in FileDescriptorSet.FromString(run.stdout).file if file.package == "toolcell.v1"]


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """Drops what buf writes and protoc's Python code leaves out."""
    for extension in file.extension:
        extension.ClearField("json_name")
    messages: list[DescriptorProto] = list(file.message_type)
    for message in messages:
        messages.extend(message.nested_type)
        for field in (*message.field, *message.extension):
            field.ClearField("json_name")
    return file


def enums_in(file: FileDescriptorProto) -> Iterator[EnumDescriptorProto]:
    """Yields every enum of a file, also those within messages."""
    yield from file.enum_type
    messages = list(file.message_type)
    for message in messages:
        messages.extend(message.nested_type)
        yield from message.enum_type


def test_the_generated_code_says_what_the_protos_say() -> None:
    files = image("--exclude-source-info")
    assert {Path(file.name).stem for file in files} == {
        path.stem for path in (PROTOS / "toolcell/v1").glob("*.proto")
    }
    assert {f"{Path(file.name).stem}_pb2.py" for file in files} == {
        path.name for path in SERVER.glob("*_pb2.py")
    }
    for file in files:
        module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        made = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        assert without_json_names(made) == without_json_names(file), file.name


def test_the_client_has_the_same_generated_code() -> None:
    ours = {path.name: path.read_bytes() for path in SERVER.glob("*_pb2*.py*")}
    theirs = {path.name: path.read_bytes() for path in CLIENT.glob("*_pb2*.py*")}
    assert ours == theirs


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Gives a copy of the protos that may be spoilt."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(PROTOS, tmp_path / "protos")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "instead"),
    [
        ("tool_service.proto", "string tool =", None),  # a field is gone
        ("tool_service.proto", "string tool_call_id =", "  int64 tool_call_id = {number};"),  # another type
        ("error_reason.proto", "ERROR_REASON_TOKEN_MISSING", None),  # an enum's value is gone
        (
            "tool_service.proto",
            "rpc Invoke(",
            "  rpc Call(InvokeRequest) returns (InvokeResponse) {{",
        ),  # another name
    ],
)
def test_a_breaking_change_is_noticed(workspace: Path, file: str, line: str, instead: str | None) -> None:
    against = ("breaking", "protos", "--against", "protos/released.binpb")
    assert buf(*against, folder=workspace).stdout == b""
    path = workspace / "protos/toolcell/v1" / file
    lines = path.read_text().splitlines()
    index = next(
        index for index, text in enumerate(lines) if line in text and not text.lstrip().startswith("//")
    )
    number = lines[index].partition("=")[2].strip(" ;")
    lines[index] = "" if instead is None else instead.format(number=number)
    path.write_text("\n".join(lines))
    run = buf(*against, folder=workspace)
    assert run.returncode != 0
    assert file.encode() in run.stdout, run.stderr.decode()


def test_an_element_without_a_comment_is_noticed(workspace: Path) -> None:
    with (workspace / "protos/toolcell/v1/tool.proto").open("a") as file:
        file.write("\nmessage Silent {}\n")
    run = buf("lint", folder=workspace)
    assert b"Silent" in run.stdout


def silent_methods(files: list[FileDescriptorProto]) -> list[str]:
    """Lists the RPCs that do not say how safe it is to call them again."""
    methods = (method for file in files for service in file.service for method in service.method)
    return [method.name for method in methods if not method.options.HasField("idempotency_level")]


def unknown_reasons(files: list[FileDescriptorProto]) -> set[str]:
    """Lists what comments write like an ErrorReason, TOOL_NOT_FOUND, that is no value of any kind."""
    protobuf = FileDescriptorProto.FromString(descriptor_pb2.DESCRIPTOR.serialized_pb)
    enums = [enum for file in (*files, protobuf) for enum in enums_in(file)]
    values = {value.name for enum in enums for value in enum.value}
    known = (
        {value.removeprefix("ERROR_REASON_") for value in values}
        | values
        | {word.name for word in (*StatusCode, *Cause)}
    )
    comments = [place.leading_comments for file in files for place in file.source_code_info.location]
    return set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b(?!_)", " ".join(comments))) - known


def test_every_method_says_its_idempotency(workspace: Path) -> None:
    assert silent_methods(image()) == []
    path = workspace / "protos/toolcell/v1/tool_service.proto"
    path.write_text(path.read_text().replace("option idempotency_level = IDEMPOTENCY_UNKNOWN;", ""))
    assert silent_methods(image(folder=workspace)) == ["Invoke", "RunToolCalls"]


def test_every_reason_a_comment_names_exists(workspace: Path) -> None:
    assert unknown_reasons(image()) == set()
    path = workspace / "protos/toolcell/v1/tool_service.proto"
    path.write_text(path.read_text().replace("TOOL_NOT_FOUND", "TOOL_NOT_FINDABLE"))
    assert unknown_reasons(image(folder=workspace)) == {"TOOL_NOT_FINDABLE"}
