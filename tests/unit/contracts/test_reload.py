"""Loading a workspace again: what changed is named, the rest stays, and revisions tell them apart."""

from pathlib import Path

import pytest

from tests.contracts.workspace import GOOD, HANDLER, causes, loaded, proto, workspace
from toolcell.model.tool import Cause, Unavailable


async def test_loading_again_tells_what_changed_and_keeps_the_rest(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, GOOD)
    first = await catalog.load()
    assert (first.added, first.changed, first.removed) == (("find_customer", "get_http_status"), (), ())
    before = catalog.snapshot
    again = await catalog.load()
    assert (again.added, again.changed, again.removed) == ((), (), ())
    assert catalog.snapshot.digest == before.digest
    assert all(catalog.snapshot.entries[name] is entry for name, entry in before.entries.items())

    (tmp_path / "handlers/find_customer/handler.py").write_text(HANDLER + "# more\n")
    (tmp_path / "protos/new.proto").write_text(proto("new", "Mail"))
    (tmp_path / "handlers/mail").mkdir()
    (tmp_path / "handlers/mail/handler.py").write_text(HANDLER)
    changes = await catalog.load()
    assert (changes.added, changes.changed, changes.removed) == (("mail",), ("find_customer",), ())
    after = catalog.snapshot.entries
    assert after["get_http_status"] is before.entries["get_http_status"]
    assert after["find_customer"].contract is before.entries["find_customer"].contract
    assert catalog.snapshot.digest != before.digest

    (tmp_path / "protos/new.proto").unlink()
    changes = await catalog.load()
    assert changes.removed == ("mail",)
    assert [found.tool for found in changes.problems] == ["mail"]


async def test_a_tool_that_breaks_goes_on_as_it_was_until_it_is_mended(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, GOOD)
    await catalog.load()
    entry = catalog.snapshot.entries["find_customer"]
    policy = tmp_path / "handlers/find_customer/cell.toml"
    policy.write_text("cpu = -1")
    changes = await catalog.load()
    assert changes.changed == ()
    assert [(found.tool, found.served) for found in changes.problems] == [
        ("find_customer", entry.tool.revision)
    ]
    assert catalog.snapshot.entries["find_customer"] is entry
    policy.write_text("cpu = 1")
    assert (await catalog.load()).changed == ("find_customer",)
    assert causes(catalog.snapshot)["find_customer"] is None


async def test_what_is_proposed_is_not_in_force_and_may_be_held_or_refused(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, GOOD)
    await catalog.load()
    before = catalog.snapshot
    for name in before.entries:
        (tmp_path / "handlers" / name / "handler.py").write_text(HANDLER + "# more\n")
    proposal = await catalog.propose()
    assert catalog.snapshot is before
    assert [tool.name for tool in proposal.changed(before)] == ["find_customer", "get_http_status"]
    catalog.adopt(
        proposal,
        held=["find_customer"],
        refused={"get_http_status": Unavailable(Cause.HANDLER_IMPORT_FAILED, "no")},
    )
    assert dict(catalog.snapshot.entries) == dict(before.entries)
    assert [found.tool for found in catalog.snapshot.problems] == ["get_http_status"]
    catalog.adopt(proposal)
    assert dict(catalog.snapshot.entries) == dict(proposal.entries)
    assert catalog.snapshot.problems == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("protos/crm.proto", proto("crm.v1", "FindCustomer", "GetHTTPStatus").replace("Does", "Really does")),
        ("handlers/find_customer/data/rows.csv", "a,b"),
        ("handlers/find_customer/cell.toml", "cpu = 1"),
    ],
)
async def test_revisions_cover_contract_handler_data_and_policy(tmp_path: Path, name: str, text: str) -> None:
    before = (await loaded(tmp_path, GOOD)).entries["find_customer"].tool.revision
    after = (await loaded(tmp_path, {name: text})).entries["find_customer"].tool.revision
    assert after != before
    assert (await loaded(tmp_path, {})).entries["find_customer"].tool.revision == after


async def test_revisions_do_not_cover_where_things_stand(tmp_path: Path) -> None:
    before = await loaded(tmp_path, GOOD)
    after = await loaded(
        tmp_path, {"protos/crm.proto": GOOD["protos/crm.proto"].replace("service", "\n\nservice")}
    )
    assert before.digest == after.digest


async def test_revisions_do_not_cover_what_python_leaves_behind(tmp_path: Path) -> None:
    before = await loaded(tmp_path, GOOD)
    after = await loaded(tmp_path, {"handlers/find_customer/__pycache__/handler.pyc": "x"})
    assert before.digest == after.digest


async def test_contracts_are_made_anew_before_they_keep_too_many_pools_alive(tmp_path: Path) -> None:
    catalog = workspace(tmp_path, GOOD)
    await catalog.load()
    first = catalog.snapshot.entries["find_customer"].contract
    for count in range(8):
        (tmp_path / "protos/other.proto").write_text(proto("other", more=f"// {count}"))
        await catalog.load()
    assert catalog.snapshot.entries["find_customer"].contract is not first


async def test_a_thousand_tools_load(tmp_path: Path) -> None:
    imports, rules = 'import "buf/validate/validate.proto";', "[(buf.validate.field).string.min_len = 1]"
    more = f"message Find {{ string query = 1 {rules}; }}\nservice Many {{\n"
    more += "\n".join(f"  rpc Tool{n}(Find) returns (Answer);" for n in range(1000)) + "\n}"
    snapshot = await loaded(tmp_path, {"protos/many.proto": proto("many", imports=imports, more=more)})
    assert len(snapshot.entries) == 1000
    assert snapshot.entries["tool999"].contract.decode('{"query": "a"}') == '{"query":"a"}'
