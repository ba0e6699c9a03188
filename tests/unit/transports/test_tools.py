"""ListTools and GetTool show what a caller may call, and nothing else."""

from google.protobuf.duration_pb2 import Duration

from tests.unit.transports.house import House, fields, info, refusal, tool
from toolcell.model.tool import Cause, Unavailable
from toolcell.v1 import tool_pb2
from toolcell.v1.tool_service_pb2 import GetToolRequest, ListToolsRequest


async def names(served: House, metadata: object = None, **request: object) -> list[str]:
    answer = await served.tools.ListTools(
        ListToolsRequest(**request),  # type: ignore[arg-type] # as the test names them
        metadata=metadata or served.metadata,  # type: ignore[arg-type] # as above
    )
    return [it.name for it in answer.tools]


async def test_a_tool_is_described_whole(served: House) -> None:
    it = (await served.tools.GetTool(GetToolRequest(name="echo"), metadata=served.metadata)).tool
    assert it == tool_pb2.Tool(
        name="echo",
        title="Echo",
        description="Does echo.",
        input_schema_json='{"in":1}',
        output_schema_json='{"out":1}',
        idempotency_level=tool_pb2.IDEMPOTENCY_LEVEL_NO_SIDE_EFFECTS,
        timeout=Duration(seconds=1, nanos=500_000_000),
        output_limit_bytes=1000,
        method_path="/examples.v1.Tools/echo",
        revision="rev_echo",
        isolation_level=2,
    )
    listed = await served.tools.ListTools(ListToolsRequest(), metadata=served.metadata)
    assert listed.tools[0] == it


async def test_a_tool_that_cannot_run_says_why(served: House) -> None:
    served.serve(
        tool("broken", Unavailable(Cause.HANDLER_MISSING, "no handler", "handlers/broken", "write one"))
    )
    it = (await served.tools.GetTool(GetToolRequest(name="broken"), metadata=served.metadata)).tool
    assert it.unavailability == tool_pb2.Unavailability(
        cause="HANDLER_MISSING", message="no handler", location="handlers/broken", remedy="write one"
    )


async def test_only_granted_tools_are_listed(served: House) -> None:
    served.serve(*map(tool, ("a_1", "a_2", "b_1")))
    assert await names(served) == ["a_1", "a_2", "b_1"]
    assert await names(served, await served.token("invoke", tools=("a_*",))) == ["a_1", "a_2"]
    assert await names(served, await served.token("invoke", tools=())) == []


async def test_a_reload_is_seen_at_once(served: House) -> None:
    assert await names(served) == ["echo", "search_customer"]
    served.serve(tool("echo", revision="rev_2"))
    answer = await served.tools.ListTools(ListToolsRequest(), metadata=served.metadata)
    assert [it.revision for it in answer.tools] == ["rev_2"]


async def test_a_stranger_to_a_tool_never_learns_whether_it_exists(served: House) -> None:
    metadata = await served.token("invoke", tools=("echo",))
    for name in ("search_customer", "no_such_tool"):
        error = await refusal(served.tools.GetTool(GetToolRequest(name=name), metadata=metadata))
        assert info(error).reason == "TOOL_FORBIDDEN"
        assert info(error).metadata["tool"] == name


async def test_only_granted_tools_are_suggested(served: House) -> None:
    served.serve(tool("search_orders"), tool("search_order_lines"), tool("secret_order"))
    metadata = await served.token("invoke", tools=("search_*",))
    error = await refusal(served.tools.GetTool(GetToolRequest(name="search_order"), metadata=metadata))
    assert info(error).reason == "TOOL_NOT_FOUND"
    assert info(error).metadata["near"] == "search_orders, search_order_lines"


async def test_a_name_is_needed(served: House) -> None:
    error = await refusal(served.tools.GetTool(GetToolRequest(), metadata=served.metadata))
    assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", ["name"])


async def test_pages_hold_every_tool_once_in_order(served: House) -> None:
    served.serve(*(tool(f"t{n:02}") for n in range(10)))
    metadata = await served.token("invoke", tools=("t0*", "t1*"))
    found, token = [], ""
    sizes = []
    while True:
        request = ListToolsRequest(page_size=4, page_token=token)
        answer = await served.tools.ListTools(request, metadata=metadata)
        found += [it.name for it in answer.tools]
        sizes.append(len(answer.tools))
        token = answer.next_page_token
        if not token:
            break
    assert sizes == [4, 4, 2]
    assert found == [f"t{n:02}" for n in range(10)]


async def test_no_page_is_too_large_for_a_client(served: House) -> None:
    served.serve(*(tool(f"t{n}", description="x" * (1 << 20)) for n in range(9)))
    found, token = 0, "begin"
    while token:
        request = ListToolsRequest(page_token="" if token == "begin" else token)
        answer = await served.tools.ListTools(request, metadata=served.metadata)
        assert answer.ByteSize() < 4 << 20
        found += len(answer.tools)
        token = answer.next_page_token
    assert found == 9


async def test_a_tool_removed_between_pages_stops_nothing(served: House) -> None:
    served.serve(*map(tool, ("a", "b", "c")))
    first = await served.tools.ListTools(ListToolsRequest(page_size=2), metadata=served.metadata)
    served.serve(*map(tool, ("a", "c")))
    assert await names(served, page_token=first.next_page_token) == ["c"]


async def test_a_token_of_another_caller_is_refused(served: House) -> None:
    first = await served.tools.ListTools(ListToolsRequest(page_size=1), metadata=served.metadata)
    request = ListToolsRequest(page_token=first.next_page_token)
    error = await refusal(
        served.tools.ListTools(request, metadata=await served.token("invoke", caller="bob"))
    )
    assert (info(error).reason, fields(error)) == ("PAGE_TOKEN_INVALID", ["page_token"])


async def test_a_page_size_out_of_bounds_is_refused(served: House) -> None:
    for size in (-1, 1001):
        error = await refusal(
            served.tools.ListTools(ListToolsRequest(page_size=size), metadata=served.metadata)
        )
        assert (info(error).reason, fields(error)) == ("REQUEST_INVALID", ["page_size"])
