"""One scenario, the same outcome through every door."""

import pytest

from tests.conformance.transport.doors import DOORS, Door, Site
from toolcell.v1.trace_service_pb2 import GetInvocationRequest

ITEM = {"name": "é", "count": 3, "weight": 0.5, "serial": "9007199254740993", "items": [{"name": "inner"}]}
EMPTY = {"name": "", "count": 0, "weight": 0, "serial": "0", "items": []}

pytestmark = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)


def test_what_went_in_comes_out_with_every_field(site: Site, door: Door) -> None:
    inner = EMPTY | {"name": "inner"}
    assert door(site, "echo", ITEM).output == ITEM | {"items": [inner]}
    assert door(site, "echo", {}).output == EMPTY


@pytest.mark.parametrize(
    ("tool", "reason", "message"),
    [
        ("decline", "TOOL_ERROR", "No such item."),
        ("crash", "HANDLER_CRASHED", "failed internally"),
        ("lie", "OUTPUT_INVALID", "does not match its contract"),
        ("linger", "HANDLER_TIMEOUT", "did not finish in"),
    ],
)
def test_what_the_handler_did_is_a_failure(
    site: Site, door: Door, tool: str, reason: str, message: str
) -> None:
    result = door(site, tool, {})
    assert (result.reason, result.is_refusal) == (reason, False)
    assert message in result.message
    assert "secret" not in result.message


REFUSED = {
    "a wrong type": ("echo", {"count": "many"}, "INPUT_INVALID", {"count"}),
    "an unknown field": ("echo", {"colour": 1}, "INPUT_INVALID", {"colour"}),
    "two rules": ("echo", {"count": -1, "name": "x" * 1001}, "INPUT_INVALID", {"name", "count"}),
    "a rule inside": ("echo", {"items": [{"count": 1}, {"count": -1}]}, "INPUT_INVALID", {"items[1].count"}),
    "no such tool": ("no_such_tool", {}, "TOOL_NOT_FOUND", set()),
    "no tool": ("", {}, "REQUEST_INVALID", {"tool"}),
    "a long tool": ("x" * 65, {}, "REQUEST_INVALID", {"tool"}),
    "no handler": ("no_handler", {}, "TOOL_UNAVAILABLE", set()),
    "two of a name": ("twin", {}, "TOOL_UNAVAILABLE", set()),
    "too large": ("echo", {"name": "x" * (5 << 20)}, "INPUT_TOO_LARGE", set()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_refused_alike(site: Site, door: Door, case: str) -> None:
    tool, arguments, reason, fields = REFUSED[case]
    result = door(site, tool, arguments)
    assert (result.reason, result.is_refusal, set(result.fields)) == (reason, True, fields)
    assert result.metadata["executed"] == "NO"


def test_every_outcome_has_its_record(site: Site, door: Door) -> None:
    for tool, state in (("echo", 3), ("decline", 4), ("no_such_tool", 4)):
        result = door(site, tool, {})
        request = GetInvocationRequest(invocation_id=result.invocation_id)
        record = site.traces.GetInvocation(request, metadata=site.metadata()).invocation
        assert (record.tool, record.state, record.caller) == (tool, state, "dev")
