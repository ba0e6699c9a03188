"""Tokens are made, listed and revoked; the tools are read anew."""

import pytest
from google.protobuf.duration_pb2 import Duration

from tests.unit.transports.house import House, fields, info, refusal
from toolcell.model.caller import Grants as Granted
from toolcell.model.errors import RequestInvalid
from toolcell.transports.grpc.admin import check_token
from toolcell.v1 import admin_service_pb2 as v1
from toolcell.v1.admin_pb2 import Grants
from toolcell.v1.tool_service_pb2 import ListToolsRequest


def wanted(**parts: object) -> v1.CreateTokenRequest:
    given = {"caller": "bob", "grants": Grants(groups=["invoke"], tools=["search_*"]), **parts}
    return v1.CreateTokenRequest(**given)  # type: ignore[arg-type] # as the test names them


async def test_a_token_that_was_made_opens_what_it_is_granted(served: House) -> None:
    answer = await served.admin.CreateToken(
        wanted(note="CI", ttl=Duration(seconds=60)), metadata=served.metadata
    )
    token = answer.token
    assert (token.caller, token.note, list(token.grants.tools)) == ("bob", "CI", ["search_*"])
    assert token.expire_time.ToMicroseconds() - token.create_time.ToMicroseconds() == 60_000_000
    assert not token.HasField("revoke_time")
    bearer = (("authorization", f"Bearer {answer.bearer}"),)
    tools = await served.tools.ListTools(ListToolsRequest(), metadata=bearer)
    assert [it.name for it in tools.tools] == ["search_customer"]


async def test_a_token_without_a_ttl_never_ends(served: House) -> None:
    answer = await served.admin.CreateToken(wanted(), metadata=served.metadata)
    assert not answer.token.HasField("expire_time")


@pytest.mark.parametrize(
    ("parts", "paths"),
    [
        ({"caller": ""}, ["caller"]),
        ({"caller": "Bob"}, ["caller"]),
        ({"caller": "b" * 65}, ["caller"]),
        ({"note": "x" * 256}, ["note"]),
        ({"grants": Grants()}, ["grants.groups"]),
        ({"grants": Grants(groups=["invoke", "root"])}, ["grants.groups[1]"]),
        ({"grants": Grants(groups=["invoke"], tools=["a b"])}, ["grants.tools[0]"]),
        ({"grants": Grants(groups=["invoke"], tools=["[a-z]"])}, ["grants.tools[0]"]),
        ({"grants": Grants(groups=["invoke"], tools=["a"] * 101)}, ["grants.tools"]),
        ({"ttl": Duration()}, ["ttl"]),
        ({"ttl": Duration(seconds=-5)}, ["ttl"]),
        ({"ttl": Duration(nanos=999_999_999)}, ["ttl"]),
        ({"ttl": Duration(seconds=2**62)}, ["ttl"]),
        ({"caller": "", "ttl": Duration()}, ["caller", "ttl"]),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    served: House, parts: dict[str, object], paths: list[str]
) -> None:
    error = await refusal(served.admin.CreateToken(wanted(**parts), metadata=served.metadata))
    assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", paths)


@pytest.mark.parametrize(
    ("caller", "note", "grants", "ttl", "path"),
    [
        ("Bad Caller", "", Granted(frozenset(("admin",))), None, "caller"),
        ("bob", "a\nb", Granted(frozenset(("admin",))), None, "note"),
        ("bob", "", Granted(frozenset(("root",))), None, "grants.groups[0]"),
        ("bob", "", Granted(frozenset(("invoke",)), ("[",)), None, "grants.tools[0]"),
        ("bob", "", Granted(frozenset(("admin",))), 1e15, "ttl"),
        ("bob", "", Granted(frozenset(("admin",))), 0.5, "ttl"),
    ],
)
def test_a_token_that_is_made_without_a_server_is_held_to_the_same_rules(
    caller: str, note: str, grants: Granted, ttl: float | None, path: str
) -> None:
    check_token("bob", "", Granted(frozenset(("invoke",)), ("search_*",)), 60)
    with pytest.raises(RequestInvalid) as refused:
        check_token(caller, note, grants, ttl)
    assert [violation.field for violation in refused.value.violations] == [path]


async def test_a_revoked_token_is_refused_at_once_and_listed(served: House) -> None:
    made = await served.admin.CreateToken(wanted(), metadata=served.metadata)
    request = v1.RevokeTokenRequest(token_id=made.token.token_id)
    first = await served.admin.RevokeToken(request, metadata=served.metadata)
    again = await served.admin.RevokeToken(request, metadata=served.metadata)
    assert first.token.HasField("revoke_time")
    assert first == again
    bearer = (("authorization", f"Bearer {made.bearer}"),)
    error = await refusal(served.tools.ListTools(ListToolsRequest(), metadata=bearer))
    assert info(error).reason == "TOKEN_REVOKED"
    listed = await served.admin.ListTokens(v1.ListTokensRequest(), metadata=served.metadata)
    assert listed.tokens[0] == first.token


async def test_a_token_that_does_not_exist_is_not_found(served: House) -> None:
    request = v1.RevokeTokenRequest(token_id="nobody")
    assert (
        info(await refusal(served.admin.RevokeToken(request, metadata=served.metadata))).reason
        == "TOKEN_NOT_FOUND"
    )
    error = await refusal(served.admin.RevokeToken(v1.RevokeTokenRequest(), metadata=served.metadata))
    assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", ["token_id"])


async def test_no_answer_holds_a_secret_twice(served: House) -> None:
    made = await served.admin.CreateToken(wanted(), metadata=served.metadata)
    secret = made.bearer.rpartition("_")[2].encode()
    assert secret not in made.token.SerializeToString()
    listed = await served.raw("/toolcell.v1.AdminService/ListTokens")
    assert secret not in listed


async def test_pages_hold_every_token_once_newest_first(served: House) -> None:
    made = [await served.admin.CreateToken(wanted(note=str(n)), metadata=served.metadata) for n in range(5)]
    found, token = [], ""
    while True:
        request = v1.ListTokensRequest(page_size=2, page_token=token)
        answer = await served.admin.ListTokens(request, metadata=served.metadata)
        found += [it.token_id for it in answer.tokens]
        token = answer.next_page_token
        if not token:
            break
    assert found[:5] == [it.token.token_id for it in reversed(made)]
    assert len(found) == len(set(found)) == 6


async def test_a_reload_says_what_changed(served: House) -> None:
    answer = await served.admin.ReloadTools(v1.ReloadToolsRequest(), metadata=served.metadata)
    assert (list(answer.added), list(answer.changed), list(answer.removed)) == (
        ["quote"],
        [],
        ["search_customer"],
    )
