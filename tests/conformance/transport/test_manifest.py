"""A manifest holds what a caller may call, page by page, and a verdict on everything else."""

import json

from tests.conformance.transport.doors import Site
from toolcell.v1 import tool_service_pb2 as v1

GOOD = ["crash", "decline", "echo", "lie", "linger", "miss", "pretend", "rant", "rare", "scarce", "wait"]
LEFT_OUT = {"bad_policy", "no_handler", "twin"}


def get(site: Site, **parts: object) -> v1.GetManifestResponse:
    request = v1.GetManifestRequest(**parts)  # type: ignore[arg-type] # as the test names them
    return site.tools.GetManifest(request, metadata=site.metadata())


def test_a_manifest_names_every_tool_in_order_and_leaves_out_what_cannot_run(site: Site) -> None:
    answer = get(site, dialect="openai-chat")
    names = [it["function"]["name"] for it in json.loads(answer.manifest_json)]
    verdicts = {verdict.tool: verdict for verdict in answer.verdicts}
    assert names == sorted(names)
    assert set(names) - {"bad_import"} == set(GOOD)
    for tool in LEFT_OUT:
        assert verdicts[tool].fit == v1.MANIFEST_FIT_LEFT_OUT
        assert verdicts[tool].notes
    assert get(site, dialect="openai") == answer


def test_pages_make_up_the_whole(site: Site) -> None:
    whole = get(site, dialect="json")
    tools, verdicts, token = [], [], ""
    while True:
        page = get(site, dialect="json", page_size=2, page_token=token)
        tools += json.loads(page.manifest_json)
        verdicts += [verdict.tool for verdict in page.verdicts]
        assert len(page.verdicts) <= 2
        token = page.next_page_token
        if not token:
            break
    assert tools == json.loads(whole.manifest_json)
    assert verdicts == [verdict.tool for verdict in whole.verdicts]


def test_tools_can_be_chosen(site: Site) -> None:
    answer = get(site, dialect="json", tools=["wait", "echo", "echo"])
    assert [it["name"] for it in json.loads(answer.manifest_json)] == ["echo", "wait"]
