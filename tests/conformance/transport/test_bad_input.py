"""Bad input: each its own reason and a sentence that says what to do; the server stays well."""

from typing import Any

import pytest

from tests.conformance.transport.doors import Result, Site, result
from toolcell.v1 import admin_pb2, admin_service_pb2, tool_service_pb2, trace_service_pb2

INVOKE = "/toolcell.v1.ToolService/Invoke"


def call(site: Site, text: str, tool: str = "echo", bearer: str | None = None, **parts: Any) -> Result:
    request = tool_service_pb2.InvokeRequest(tool=tool, arguments_json=text, **parts)
    return result(lambda: site.tools.Invoke(request, metadata=site.metadata(bearer)))


@pytest.fixture(autouse=True)
def _stays_well(site: Site) -> Any:
    """Holds every test here to leaving server and other tools as they were."""
    yield
    assert site.is_well()


TEXTS = {
    "not JSON": "{'name': 1}",
    "cut off": '{"name": "a',
    "two values": "{} {}",
    "no object": "[1]",
    "a bare NaN": '{"weight": NaN}',
    "a wrong type": '{"count": "many"}',
    "a fraction": '{"count": 1.5}',
    "too big a number": '{"count": 99999999999}',
    "a null list": '{"items": [null]}',
    "an unknown field": '{"colour": "red"}',
    "the same field twice": '{"name": "a", "name": "b"}',
    "a rule broken": '{"count": -1}',
    "deep objects": '{"items": [' * 5000 + "]}" * 5000,
    "deep lists": '{"items": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a lone surrogate": '{"name": "\\ud800"}',
    "a NUL": '{"name": "a\\u0000", "count": -1}',
    "a long number": '{"serial": ' + "9" * 100_000 + "}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_arguments_that_break_the_contract_are_invalid(site: Site, text: str) -> None:
    told = call(site, text)
    assert (told.reason, told.metadata["executed"]) == ("INPUT_INVALID", "NO")
    assert told.message


def test_every_violation_is_told_at_once(site: Site) -> None:
    told = call(site, '{"count": -1, "weight": "heavy", "colour": "red"}')
    assert {"weight", "colour"} <= set(told.fields)


def test_arguments_over_the_limit_are_too_large(site: Site) -> None:
    told = call(site, " " * (4 << 20))
    assert (told.reason, told.metadata["limit"]) == ("INPUT_TOO_LARGE", str(4 << 20))


def test_each_bad_token_has_its_reason(site: Site) -> None:
    grants = admin_pb2.Grants(groups=["invoke"], tools=["*"])
    create = admin_service_pb2.CreateTokenRequest(caller="bob", grants=grants)
    made = site.admin.CreateToken(create, metadata=site.metadata())
    revoke = admin_service_pb2.RevokeTokenRequest(token_id=made.token.token_id)
    site.admin.RevokeToken(revoke, metadata=site.metadata())
    head, _, tail = site.key.rpartition("_")
    reasons = {
        "nonsense": "TOKEN_MALFORMED",
        site.key[:-1]: "TOKEN_MALFORMED",
        f"{head}_{tail.swapcase()}": "TOKEN_MALFORMED",
        made.bearer: "TOKEN_REVOKED",
        site.expired: "TOKEN_EXPIRED",
    }
    for bearer, reason in reasons.items():
        told = call(site, "{}", bearer=bearer)
        assert told.reason == reason
        assert bearer not in told.message
    request = tool_service_pb2.InvokeRequest(tool="echo")
    assert result(lambda: site.tools.Invoke(request)).reason == "TOKEN_MISSING"


def test_a_token_opens_only_what_it_is_granted(site: Site) -> None:
    grants = admin_pb2.Grants(groups=["invoke"], tools=["ec*"])
    create = admin_service_pb2.CreateTokenRequest(caller="bob", grants=grants)
    bearer = site.admin.CreateToken(create, metadata=site.metadata()).bearer
    assert call(site, "{}", bearer=bearer).output is not None
    for tool in ("crash", "no_such_tool", "twin"):
        assert call(site, "{}", tool, bearer=bearer).reason == "TOOL_FORBIDDEN"
    listed = trace_service_pb2.ListInvocationsRequest()
    told = result(lambda: site.traces.ListInvocations(listed, metadata=site.metadata(bearer)))
    assert told.reason == "RPC_FORBIDDEN"
    tools = site.tools.ListTools(tool_service_pb2.ListToolsRequest(), metadata=site.metadata(bearer))
    assert [it.name for it in tools.tools] == ["echo"]


@pytest.mark.parametrize(
    ("tool", "cause"),
    [
        ("no_handler", "HANDLER_MISSING"),
        ("bad_policy", "POLICY_INVALID"),
        ("bad_import", "HANDLER_IMPORT_FAILED"),
        ("twin", "NAME_CONFLICT"),
    ],
)
def test_a_tool_that_is_deployed_wrongly_says_how(site: Site, tool: str, cause: str) -> None:
    told = call(site, "{}", tool)
    assert (told.reason, told.metadata["cause"]) == ("TOOL_UNAVAILABLE", cause)
    again = call(site, "{}", tool)
    assert (again.reason, again.metadata["cause"]) == (told.reason, cause)


def test_what_does_not_compile_is_reported_with_its_place(site: Site) -> None:
    answer = site.admin.ReloadTools(admin_service_pb2.ReloadToolsRequest(), metadata=site.metadata())
    problems = {
        (problem.tool or problem.location.partition(":")[0].rpartition("/")[2]): problem
        for problem in answer.problems
    }
    assert {"broken.proto", "stolen.proto", "twin", "no_handler", "bad_policy"} <= set(problems)
    broken = problems["broken.proto"]
    assert broken.cause == "CONTRACT_INVALID"
    assert broken.location.endswith("broken.proto:3:9")
    assert (list(answer.added), list(answer.changed), list(answer.removed)) == ([], [], [])
    assert all(problem.message and problem.remedy for problem in answer.problems)


def test_a_rate_says_how_long_to_wait(site: Site) -> None:
    call(site, "{}", "rare")
    told = call(site, "{}", "rare")
    assert told.reason == "RATE_LIMITED"
    assert float(told.metadata["retry_after"]) > 0


def manifest(site: Site, **parts: Any) -> Result:
    request = tool_service_pb2.GetManifestRequest(**parts)
    return result(lambda: site.tools.GetManifest(request, metadata=site.metadata()))


def test_a_manifest_that_cannot_be_is_refused(site: Site) -> None:
    told = manifest(site, dialect="klingon")
    assert told.reason == "DIALECT_UNKNOWN"
    assert "openai-chat" in told.metadata["known"]
    assert manifest(site).reason == "REQUEST_INVALID"
    assert manifest(site, dialect="json", tools=["echo", "no_such_tool"]).reason == "TOOL_NOT_FOUND"
    assert manifest(site, dialect="json", tools=[""]).fields == ("tools[0]",)
    assert manifest(site, dialect="json", tools=["echo"] * 1001).fields == ("tools",)


@pytest.mark.parametrize("page_token", ["x", "AAAA", "é", "\x00", "A" * 100_000])
def test_a_bad_page_token_is_refused_everywhere(site: Site, page_token: str) -> None:
    page: dict[str, Any] = {"page_token": page_token}
    calls = (
        lambda: site.tools.ListTools(tool_service_pb2.ListToolsRequest(**page), metadata=site.metadata()),
        lambda: site.tools.GetManifest(
            tool_service_pb2.GetManifestRequest(dialect="json", **page), metadata=site.metadata()
        ),
        lambda: site.traces.ListInvocations(
            trace_service_pb2.ListInvocationsRequest(**page), metadata=site.metadata()
        ),
        lambda: site.admin.ListTokens(admin_service_pb2.ListTokensRequest(**page), metadata=site.metadata()),
    )
    assert [result(one).reason for one in calls] == ["PAGE_TOKEN_INVALID"] * 4


def raw(site: Site, path: str, body: bytes) -> Result:
    call: Any = site.channel.unary_unary(path)
    return result(lambda: call(body, metadata=site.metadata()))


def test_bytes_that_are_no_request_are_refused(site: Site) -> None:
    for body in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe", b"\x12" * 100):
        assert raw(site, INVOKE, body).reason == "REQUEST_INVALID"


def test_a_method_that_does_not_exist_is_refused(site: Site) -> None:
    assert raw(site, "/x.Y/Z", b"").reason == "METHOD_NOT_FOUND"
