"""Handlers without a method, beside files that do not compile: who is to blame."""

from pathlib import Path

import pytest

from tests.contracts.workspace import GOOD, HANDLER, causes, loaded, problem, proto, workspace
from toolcell.model.tool import Cause


async def test_a_tool_whose_contract_does_not_compile_is_listed_with_the_place(tmp_path: Path) -> None:
    files = {
        **GOOD,
        "protos/a.proto": "nonsense",
        "protos/broken.proto": 'syntax = "proto3";\nservice S { rpc SendMail(Ask) returns (Answer); }',
        "handlers/send_mail/handler.py": HANDLER,
        "handlers/unheard_of/handler.py": HANDLER,
    }
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot) == {
        "find_customer": None,
        "get_http_status": None,
        "send_mail": Cause.CONTRACT_INVALID,
        "unheard_of": Cause.CONTRACT_INVALID,
    }
    assert problem(snapshot, "send_mail").where == "protos/broken.proto:2:26"
    assert '"Ask" is not defined.' in problem(snapshot, "send_mail").message
    assert problem(snapshot, "unheard_of").where == "protos/a.proto:1:1"
    assert problem(snapshot, "unheard_of").message.startswith(
        "no method is called unheard_of; its contract may be in a file that does not compile: "
    )
    files_named = [found.where for found in snapshot.problems if not found.tool]
    assert files_named == ["protos/a.proto:1:1", "protos/broken.proto:2:26"]
    assert snapshot.entries["send_mail"].contract.input_schema["properties"] == {}


LOST = proto("mail", "SendMail").replace("string query", "strin query")


@pytest.mark.parametrize(
    ("broken", "is_suspect"),
    [
        (LOST, False),
        ('syntax = "proto3";\nmessage Lost { strin query = 1; }', False),
        ('syntax = "proto3";\nservice S {', True),
        ('syntax = "proto3";\n// message of the day\n;;?', True),
        ("\0" * (1 << 20) + LOST, True),
    ],
)
async def test_a_stray_handler_is_not_blamed_on_a_file_that_declares_other_things(
    tmp_path: Path, broken: str, *, is_suspect: bool
) -> None:
    files = {**GOOD, "protos/a.proto": broken, "handlers/find_customers/handler.py": HANDLER}
    snapshot = await loaded(tmp_path, files)
    assert ("find_customers" in snapshot.entries) is is_suspect
    assert problem(snapshot, "find_customers").where.startswith(
        "protos/a.proto" if is_suspect else "handlers/find_customers/"
    )


async def test_a_tool_stays_its_file_s_when_the_file_breaks_and_does_not_name_it_any_more(
    tmp_path: Path,
) -> None:
    mail = proto("mail", "SendMail", "ReadMail")
    files = {
        **GOOD,
        "protos/mail.proto": mail,
        **{f"handlers/{name}/handler.py": HANDLER for name in ("send_mail", "read_mail")},
    }
    catalog = workspace(tmp_path, files)
    await catalog.load()
    assert catalog.snapshot.problems == ()
    path = tmp_path / "protos/mail.proto"
    path.write_text(LOST.replace("SendMail", "ReadMail"))
    await catalog.load()
    assert causes(catalog.snapshot)["send_mail"] is None  # in service still
    assert problem(catalog.snapshot, "send_mail").message.startswith("its contract does not compile")
    path.write_text(proto("mail", "ReadMail"))
    await catalog.load()
    path.write_text(LOST.replace("SendMail", "ReadMail"))
    await catalog.load()
    assert "send_mail" not in catalog.snapshot.entries
    assert problem(catalog.snapshot, "send_mail").where == "handlers/send_mail/"
