"""What a user can meet is documented: RPCs, reasons, causes, groups, settings, events, commands."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from toolcell.config import SETTINGS
from toolcell.model.caller import GROUPS
from toolcell.model.errors import ToolcellError
from toolcell.model.span import EventKind
from toolcell.model.tool import Cause
from toolcell.transports.grpc.native import LABEL, OWN_CODES, TOOL_CALL_ID
from toolcell.v1 import admin_service_pb2, job_service_pb2, tool_service_pb2, trace_service_pb2

ROOT = Path(__file__).parents[2]
PROTOS, SERVER = (ROOT / "protos/README.md").read_text(), (ROOT / "server/README.md").read_text()
SERVICES = (admin_service_pb2, job_service_pb2, tool_service_pb2, trace_service_pb2)


def reasons(root: type[ToolcellError] = ToolcellError) -> Iterator[type[ToolcellError]]:
    for child in root.__subclasses__():
        if "reason" in child.__dict__:
            yield child
        yield from reasons(child)


def test_every_rpc_has_its_row() -> None:
    for module in SERVICES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                assert f"| `{service.name}.{method.name}` |" in PROTOS


@pytest.mark.parametrize("error", list(reasons()), ids=lambda error: error.reason)
def test_every_reason_has_its_row(error: type[ToolcellError]) -> None:
    resend = "yes" if error.retryable else "no"
    when = " ".join((error.__doc__ or "").split())
    assert f"| {error.reason} | {error.code} | {error.executed} | {resend} | {when} |" in PROTOS


def test_no_row_is_about_a_reason_that_does_not_exist() -> None:
    known = {error.reason.value for error in reasons()}
    assert set(re.findall(r"^\| ([A-Z_]+) \| [A-Z_]+ \|", PROTOS, re.MULTILINE)) == known


@pytest.mark.parametrize("word", [*Cause, *GROUPS])
def test_causes_and_groups_are_documented(word: str) -> None:
    assert f"`{word}`" in PROTOS


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_has_its_row(setting: object) -> None:
    assert f"| `{setting.key}` | {setting.meaning} |" in SERVER  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_is_documented(kind: str) -> None:
    assert f"| `{kind}` |" in SERVER


def test_every_command_is_in_the_clients_readme() -> None:
    from toolcell.cli import main

    text = (ROOT / "clients/README.md").read_text()
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f"toolcell {name}" in text, name


def test_the_codes_that_a_handler_may_choose_are_documented() -> None:
    text = " ".join(PROTOS.split())
    *most, last = sorted(OWN_CODES)
    assert f"with one of the codes {', '.join(most)} or {last} has it" in text


@pytest.mark.parametrize("key", [TOOL_CALL_ID, f"{LABEL}<key>", "toolcell-invocation-id"])
def test_every_key_of_metadata_has_its_row(key: str) -> None:
    assert f"| `{key}` |" in PROTOS
