"""A workspace becomes tools; what is wrong in it is a problem with place and remedy, never an exception."""

import json
from pathlib import Path

import pytest

from tests.contracts.workspace import GOOD, HANDLER, causes, loaded, problem, proto, workspace
from toolcell.contracts.catalog import Catalog
from toolcell.model.tool import Cause, Idempotency, Limits

OPTIONS = 'import "toolcell/v1/options.proto";'
VALIDATE = 'import "buf/validate/validate.proto";'


async def test_methods_become_tools(tmp_path: Path) -> None:
    snapshot = await loaded(tmp_path, GOOD)
    assert snapshot.problems == ()
    assert [*snapshot.entries] == ["find_customer", "get_http_status"]
    tool = snapshot.entries["find_customer"].tool
    assert (tool.path, tool.description) == ("/crm.v1.Service/FindCustomer", "Does FindCustomer.")
    assert (tool.title, tool.idempotency) == ("", Idempotency.UNSET)
    assert (tool.timeout_seconds, tool.output_limit_bytes) == (30.0, 1 << 20)
    assert tool.directory == (tmp_path / "handlers" / "find_customer").resolve()
    assert len(tool.revision) == 16
    contract = snapshot.entries["find_customer"].contract
    assert json.loads(contract.decode('{"query": "a"}')) == {"query": "a"}
    assert contract.encode({}) == '{"text":""}'


async def test_options_of_the_contract_are_read_and_the_smaller_limit_wins(tmp_path: Path) -> None:
    rpc = """service Other { rpc Do(Ask) returns (Answer) {
      option idempotency_level = IDEMPOTENT;
      option (toolcell.v1.tool) = {name: "act-1" title: "Act" timeout: {seconds: 5} output_limit_bytes: 4096};
    } }"""
    files = {
        "protos/a.proto": proto("a", imports=OPTIONS, more=rpc),
        "handlers/act-1/handler.py": HANDLER,
        "handlers/act-1/cell.toml": "timeout = '7s'\noutput = '2 KiB'",
    }
    tool = (await loaded(tmp_path, files)).entries["act-1"].tool
    assert (tool.title, tool.idempotency) == ("Act", Idempotency.IDEMPOTENT)
    assert (tool.timeout_seconds, tool.output_limit_bytes) == (5.0, 2048)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("timeout: {seconds: -1}", "the option timeout is -1 s"),
        ("timeout: {}", "the option timeout is 0 s"),
        ("timeout: {seconds: 4000}", "the option timeout is 4000 s"),
        ("output_limit_bytes: -5", "output_limit_bytes is negative"),
    ],
)
async def test_limits_that_make_no_sense_are_a_problem(tmp_path: Path, option: str, says: str) -> None:
    rpc = (
        f"service Other {{ rpc Do(Ask) returns (Answer) {{ option (toolcell.v1.tool) = {{ {option} }}; }} }}"
    )
    files = {"protos/a.proto": proto("a", imports=OPTIONS, more=rpc), "handlers/do/handler.py": HANDLER}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot) == {"do": Cause.CONTRACT_INVALID}
    assert says in problem(snapshot, "do").message


@pytest.mark.parametrize("name", ["toolcell_do", "9lives", "a b", "x" * 65, "naïve"])
async def test_names_that_providers_do_not_take_are_refused(tmp_path: Path, name: str) -> None:
    rpc = f'service Other {{ rpc Do(Ask) returns (Answer) {{ option (toolcell.v1.tool).name = "{name}"; }} }}'
    files = {**GOOD, "protos/a.proto": proto("a", imports=OPTIONS, more=rpc)}
    snapshot = await loaded(tmp_path, files)
    assert name not in snapshot.entries
    assert "is reserved or not one that every model provider takes" in problem(snapshot, name).message
    assert problem(snapshot, name).where == "protos/a.proto:9:17"


async def test_a_tool_without_a_handler_says_what_to_create(tmp_path: Path) -> None:
    files = {name: text for name, text in GOOD.items() if "get_http" not in name}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot) == {"find_customer": None, "get_http_status": Cause.HANDLER_MISSING}
    found = problem(snapshot, "get_http_status")
    assert found.where == "handlers/get_http_status/"
    assert found.remedy.startswith("Create handlers/get_http_status/handler.py")


async def test_a_handler_without_a_file_for_its_entry_is_missing(tmp_path: Path) -> None:
    files = {**GOOD, "handlers/find_customer/cell.toml": 'entry = "app.main:run"'}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot)["find_customer"] is Cause.HANDLER_MISSING
    assert problem(snapshot, "find_customer").message == "there is no app/main.py for the entry app.main:run"
    (tmp_path / "handlers/find_customer/app/main").mkdir(parents=True)
    (tmp_path / "handlers/find_customer/app/main/__init__.py").write_text(HANDLER)
    assert causes(await loaded(tmp_path, {}))["find_customer"] is None


async def test_a_handler_without_a_contract_is_a_problem_with_a_guess(tmp_path: Path) -> None:
    snapshot = await loaded(tmp_path, {**GOOD, "handlers/find_customers/handler.py": HANDLER})
    assert "find_customers" not in snapshot.entries
    assert "Did you mean find_customer?" in problem(snapshot, "find_customers").message
    assert problem(snapshot, "find_customers").where == "handlers/find_customers/"


async def test_of_two_tools_with_one_name_neither_is_served(tmp_path: Path) -> None:
    files = {**GOOD, "protos/other.proto": proto("other.v1", "FindCustomer")}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot)["find_customer"] is Cause.NAME_CONFLICT
    message = problem(snapshot, "find_customer").message
    assert "protos/crm.proto:6:3" in message
    assert "protos/other.proto:6:3" in message


async def test_streaming_methods_are_no_tools(tmp_path: Path) -> None:
    stream = (
        "service Other { rpc Watch(Ask) returns (stream Answer); rpc Push(stream Ask) returns (Answer); }"
    )
    files = {**GOOD, "protos/s.proto": proto("s", more=stream), "handlers/watch/handler.py": HANDLER}
    snapshot = await loaded(tmp_path, files)
    assert {"watch", "push"}.isdisjoint(snapshot.entries)
    assert problem(snapshot, "watch").message == "the method s.Other.Watch streams, so it is no tool"
    assert problem(snapshot, "push").where.startswith("protos/s.proto:9:")


@pytest.mark.parametrize("package", ["google.x", "toolcell.mine", "grpc", "buf.mine"])
async def test_reserved_packages_are_refused(tmp_path: Path, package: str) -> None:
    files = {**GOOD, "protos/mine.proto": proto(package, "Steal"), "handlers/steal/handler.py": HANDLER}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot)["steal"] is Cause.CONTRACT_INVALID
    assert causes(snapshot)["find_customer"] is None
    assert "is reserved" in problem(snapshot, "").message


REQUIRED = "[(buf.validate.field).required = true]"
TWO = f"Loop {{ Two two = 1 {REQUIRED}; }} message Two {{ Loop loop = 1 {REQUIRED}; }}"
BAD_PATTERN = 'string s = 1 [(buf.validate.field).string.pattern = "(["];'


def cel(expression: str) -> str:
    rule = f'{{id: "x" message: "m" expression: "{expression}"}}'
    return f"Loop {{ string s = 1 [(buf.validate.field).cel = {rule}]; }}"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (f"Loop {{ Loop again = 1 {REQUIRED}; }}", "holds a.Loop, which requires itself"),
        (TWO, "requires itself"),
        ("Loop { string s = 1 [(buf.validate.field).int32.gt = 3]; }", "do not compile"),
        (f"Loop {{ {BAD_PATTERN} }}", "the rules of a.Loop do not compile"),
        (
            f"Loop {{ repeated Two two = 1; }} message Two {{ {BAD_PATTERN} }}",
            "the rules of a.Two do not compile",
        ),
        (cel("this >>> 1"), "do not compile"),
        (cel("this + 1 > 2"), "can never be evaluated"),
        (cel("this.nosuch == 1"), "can never be evaluated"),
        (cel("1"), "can never be evaluated"),
    ],
)
async def test_messages_that_no_call_could_use_are_a_problem(tmp_path: Path, message: str, says: str) -> None:
    rpc = f"service Other {{ rpc Do(Loop) returns (Answer); }} message {message}"
    files = {
        **GOOD,
        "protos/a.proto": proto("a", imports=VALIDATE, more=rpc),
        "handlers/do/handler.py": HANDLER,
    }
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot) == {"do": Cause.CONTRACT_INVALID, "find_customer": None, "get_http_status": None}
    assert says in problem(snapshot, "do").message


async def test_a_request_must_be_an_object_in_json(tmp_path: Path) -> None:
    rpc = "service Other { rpc Do(google.protobuf.Duration) returns (Answer); }"
    more = proto("a", imports='import "google/protobuf/duration.proto";', more=rpc)
    snapshot = await loaded(tmp_path, {"protos/a.proto": more, "handlers/do/handler.py": HANDLER})
    assert causes(snapshot) == {"do": Cause.CONTRACT_INVALID}
    assert "google.protobuf.Duration" in problem(snapshot, "do").message


async def test_a_wrong_policy_is_a_problem_of_its_tool(tmp_path: Path) -> None:
    files = {**GOOD, "handlers/find_customer/cell.toml": "[pool]\nwram = 1"}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot) == {"find_customer": Cause.POLICY_INVALID, "get_http_status": None}
    assert problem(snapshot, "find_customer").where == "handlers/find_customer/cell.toml:2:1"


async def test_another_runtime_is_a_problem_of_its_tool(tmp_path: Path) -> None:
    snapshot = await loaded(tmp_path, {**GOOD, "handlers/find_customer/cell.toml": 'runtime = "node"'})
    assert causes(snapshot)["find_customer"] is Cause.RUNTIME_MISSING


async def test_a_tool_that_requires_more_isolation_is_not_served(tmp_path: Path) -> None:
    files = {**GOOD, "handlers/find_customer/cell.toml": "[isolation_level]\nrequired = 3"}
    snapshot = await loaded(tmp_path, files)
    assert causes(snapshot)["find_customer"] is Cause.ISOLATION_TOO_LOW
    stronger = Catalog(tmp_path / "protos", tmp_path / "handlers", isolation_level=3)
    await stronger.load()
    assert causes(stronger.snapshot)["find_customer"] is None


async def test_the_ceiling_bounds_policies(tmp_path: Path) -> None:
    workspace(tmp_path, {**GOOD, "handlers/find_customer/cell.toml": 'memory = "128 MiB"'})
    low = Limits(memory_bytes=64 << 20, cpu_seconds=1.0, open_files=64, output_bytes=1024)
    catalog = Catalog(tmp_path / "protos", tmp_path / "handlers", ceiling=low, isolation_level=2)
    await catalog.load()
    assert causes(catalog.snapshot)["find_customer"] is Cause.POLICY_INVALID
    assert catalog.snapshot.entries["get_http_status"].tool.policy.limits == low


@pytest.mark.parametrize("what", ["handler.py", "data"])
async def test_links_that_leave_the_directory_are_refused(tmp_path: Path, what: str) -> None:
    workspace(tmp_path, GOOD)
    link = tmp_path / "handlers" / "find_customer" / what
    link.unlink(missing_ok=True)
    link.symlink_to(
        tmp_path / "protos" if what == "data" else tmp_path / "handlers/get_http_status/handler.py"
    )
    snapshot = await loaded(tmp_path, {})
    assert causes(snapshot)["find_customer"] is Cause.POLICY_INVALID
    assert problem(snapshot, "find_customer").where == f"handlers/find_customer/{what}"


async def test_a_handler_that_is_too_large_is_refused(tmp_path: Path) -> None:
    workspace(tmp_path, GOOD)
    with (tmp_path / "handlers/find_customer/large.bin").open("wb") as file:
        file.truncate((64 << 20) + 1)
    snapshot = await loaded(tmp_path, {})
    assert causes(snapshot)["find_customer"] is Cause.POLICY_INVALID


async def test_missing_folders_are_a_problem_and_no_failure(tmp_path: Path) -> None:
    protos, handlers = tmp_path / "no-protos", tmp_path / "no-handlers"
    catalog = Catalog(protos, handlers, isolation_level=2)
    changes = await catalog.load()
    assert catalog.snapshot.entries == {}
    assert [(found.where, found.message) for found in changes.problems] == [
        (f"{protos}/", "the folder of the contracts does not exist"),
        (f"{handlers}/", "the folder of the handlers does not exist"),
    ]
    assert "--protos, or workspace.protos in toolcell.toml" in changes.problems[0].remedy
    assert "--handlers, or workspace.handlers in toolcell.toml" in changes.problems[1].remedy
