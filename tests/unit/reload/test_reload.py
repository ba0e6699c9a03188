"""What a reload replaces, and what it leaves alone."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.reload.house import HEADER, SAYS, House, write_contract, write_handler
from toolcell.model.errors import ToolUnavailable
from toolcell.model.span import EventKind
from toolcell.model.tool import Cause

PARENT = "import os\ndef handler(arguments, cell):\n    return {'text': str(os.getppid())}\n"
HELD = """import os, signal
def handler(arguments, cell):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    cell.log(str(os.getpid()))
    signal.sigwait([signal.SIGUSR1])
    return {'text': 'old'}
"""
DATA = """from pathlib import Path
def handler(arguments, cell):
    return {'text': (Path(__file__).parent / 'data/words.txt').read_text()}
"""
BROKEN = {
    "handler": ("handlers/one/handler.py:2:", Cause.HANDLER_IMPORT_FAILED),
    "policy": ("handlers/one/cell.toml:1:1", Cause.POLICY_INVALID),
    "entry": ("handlers/one/", Cause.HANDLER_MISSING),
    "runtime": ("handlers/one/cell.toml:1:1", Cause.RUNTIME_MISSING),
    "contract": ("protos/probe.proto:", Cause.CONTRACT_INVALID),
}


def break_one(house: House, what: str) -> None:
    one = house.workspace / "handlers/one"
    match what:
        case "handler":
            write_handler(house.workspace, "one", "import os\nimport nothing_of_the_kind\n")
        case "policy":
            (one / "cell.toml").write_text('memroy = "64 MiB"\n')
        case "entry":
            (one / "handler.py").unlink()
        case "runtime":
            (one / "cell.toml").write_text('runtime = "cobol"\n')
        case "contract":
            write_contract(house.workspace, "One", "Two", header=HEADER.replace("string", "strong"))


def mend_one(house: House, text: str) -> None:
    write_contract(house.workspace, "One", "Two")
    write_handler(house.workspace, "one", SAYS.format(text))
    (house.workspace / "handlers/one/cell.toml").unlink(missing_ok=True)


async def test_only_the_changed_tool_gets_a_new_zygote_and_the_other_keeps_its_warm_cells(
    house: House,
) -> None:
    for tool in ("one", "two"):
        write_handler(house.workspace, tool, PARENT)
    await house.reload()
    parents = {tool: await house.call(tool) for tool in ("one", "two")}
    two, entry = house.revision("two"), house.catalog.snapshot.entries["two"]
    write_handler(house.workspace, "one", PARENT + "# changed\n")
    changes = await house.reload()
    assert (changes.added, changes.changed, changes.removed, changes.problems) == ((), ("one",), (), ())
    assert await house.call("one") != parents["one"]
    assert await house.call("two") == parents["two"]
    assert house.revision("two") == two
    assert house.catalog.snapshot.entries["two"] is entry


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("what", BROKEN)
async def test_a_broken_change_keeps_the_revision_before_and_says_why(
    house: House, what: str, *, warm: bool
) -> None:
    if warm:
        assert await house.call("one") == "old"
    before = house.revision("one")
    break_one(house, what)
    changes = await house.reload()
    where, cause = BROKEN[what]
    problem = next(problem for problem in changes.problems if problem.tool == "one")
    assert problem.where.startswith(where), problem
    assert (problem.cause, problem.served) == (cause, before)
    assert problem.remedy
    assert "one" not in changes.changed
    assert [await house.call(tool) for tool in ("one", "two")] == ["old", "old"]
    assert house.revision("one") == before
    (told,) = house.said.of("problem")
    assert told["where"] == problem.where
    assert "the revision before is served: one" in told["remedy"]
    mend_one(house, "new")
    changes = await house.reload()
    assert (changes.changed, changes.problems) == (("one",), ())
    assert await house.call("one") == "new"


async def test_a_change_that_is_taken_back_is_served_as_before(house: House) -> None:
    entry = house.catalog.snapshot.entries["one"]
    break_one(house, "contract")
    await house.reload()
    mend_one(house, "old")
    assert (await house.reload()).changed == ()
    assert house.catalog.snapshot.entries["one"] is entry
    assert house.said.of("reloaded")[-2]["mended"] == "one,two"


async def test_a_running_call_finishes_on_its_revision(house: House) -> None:
    write_handler(house.workspace, "one", HELD)
    await house.reload()
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def emit(kind: EventKind, body: Mapping[str, Any]) -> None:
        if kind is EventKind.LOG:
            began.set_result(int(body["message"]))

    running = asyncio.create_task(house.call("one", emit))
    process = await began
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.reload()
    assert await house.call("one") == "new"
    assert not running.done()
    os.kill(process, signal.SIGUSR1)
    assert await running == "old"


@pytest.mark.parametrize("preload", ["true", "false"])
async def test_a_kept_revision_that_starts_again_runs_its_own_files(narrow: House, preload: str) -> None:
    policy = f'preload = {preload}\nread = ["data"]\n'
    data = narrow.workspace / "handlers/one/data"
    data.mkdir()
    (data / "words.txt").write_text("old words")
    (data.parent / "cell.toml").write_text(policy)
    write_handler(narrow.workspace, "one", DATA)
    await narrow.reload()
    assert await narrow.call("one") == "old words"
    before = narrow.revision("one")
    (data / "words.txt").write_text("new words")
    break_one(narrow, "handler")
    assert (await narrow.reload()).problems
    for _ in range(2):
        assert await narrow.call("two") == "old"  # this takes the place of the zygote of `one`
        assert await narrow.call("one") == "old words"
    assert narrow.revision("one") == before
    write_handler(narrow.workspace, "one", DATA)
    await narrow.reload()
    assert await narrow.call("one") == "new words"


async def test_a_zygote_that_starts_late_runs_what_its_revision_was_made_from(house: House) -> None:
    write_handler(house.workspace, "one", SAYS.format("unread"))
    assert await house.call("one") == "old"


async def test_a_change_of_a_warm_tool_is_warm_when_it_is_served(house: House) -> None:
    await house.call("one")
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.reload()
    assert house.cells.is_warm("one")
    assert house.catalog.snapshot.entries["one"].tool.directory in house.cells.directories()


async def test_tools_of_a_large_change_that_nobody_called_are_not_started(house: House) -> None:
    names = [f"Tool{number}" for number in range(12)]
    write_contract(house.workspace, "One", "Two", *names)
    for name in names:
        write_handler(house.workspace, name.lower(), "import nothing_of_the_kind\n")
    changes = await house.reload()
    assert len(changes.added) == len(names)
    assert changes.problems == ()
    assert not any(house.cells.is_warm(name.lower()) for name in names)


async def test_a_new_tool_that_does_not_import_is_listed_with_the_reason(house: House) -> None:
    write_contract(house.workspace, "One", "Two", "Three")
    write_handler(house.workspace, "three", "\n\ndef handler(:\n")
    changes = await house.reload()
    why = house.catalog.snapshot.entries["three"].tool.unavailable
    assert why is not None
    assert (why.cause, why.where) == (Cause.HANDLER_IMPORT_FAILED, "handlers/three/handler.py:3:13")
    assert [(problem.tool, problem.served) for problem in changes.problems] == [("three", "")]
    write_handler(house.workspace, "three", SAYS.format("new"))
    assert (await house.reload()).problems == ()
    assert await house.call("three") == "new"


async def test_what_was_taken_away_is_not_kept(house: House) -> None:
    for file in (house.workspace / "handlers/one").iterdir():
        file.unlink()
    (house.workspace / "handlers/one").rmdir()
    write_contract(house.workspace, "One")
    changes = await house.reload()
    assert changes.removed == ("two",)
    why = house.catalog.snapshot.entries["one"].tool.unavailable
    assert why is not None
    assert why.cause is Cause.HANDLER_MISSING


@pytest.mark.parametrize("cause", [Cause.ISOLATION_TOO_LOW, Cause.NAME_CONFLICT])
async def test_what_must_not_be_served_is_not_kept(house: House, cause: Cause) -> None:
    if cause is Cause.ISOLATION_TOO_LOW:
        (house.workspace / "handlers/one/cell.toml").write_text("[isolation_level]\nrequired = 3\n")
    else:
        other = (house.workspace / "protos/probe.proto").read_text().replace("probe.v1", "other.v1")
        (house.workspace / "protos/other.proto").write_text(other)
    await house.reload()
    why = house.catalog.snapshot.entries["one"].tool.unavailable
    assert why is not None
    assert why.cause is cause


async def test_a_reload_that_is_asked_for_tries_again_what_was_refused(house: House) -> None:
    break_one(house, "handler")
    for times in (1, 2):
        assert len((await house.reload()).problems) == 1
        assert len(house.said.of("problem")) == times


async def test_copies_nobody_needs_are_removed(house: House) -> None:
    for number in range(10):
        write_handler(house.workspace, "one", SAYS.format(number))
        await house.reload()
    copies = list((house.workspace / "state/copies/one").iterdir())
    assert 1 < len(copies) < 7
    assert house.catalog.snapshot.entries["one"].tool.directory in copies
    assert sorted(path.name for path in (house.workspace / "state/copies").iterdir()) == ["one", "two"]


async def test_a_call_that_waited_until_its_copy_is_gone_is_refused(house: House) -> None:
    shutil.rmtree(house.catalog.snapshot.entries["one"].tool.directory)
    with pytest.raises(ToolUnavailable, match="cannot be read any more"):
        await house.call("one")


async def test_a_change_is_taken_untried_when_there_is_no_room_to_try_it(narrow: House) -> None:
    write_handler(narrow.workspace, "one", HELD)
    await narrow.reload()
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(narrow.call("one", lambda _, body: began.set_result(int(body["message"]))))
    process = await began
    write_handler(narrow.workspace, "two", SAYS.format("new"))
    assert (await narrow.reload()).changed == ("two",)
    os.kill(process, signal.SIGUSR1)
    assert await running == "old"
    assert await narrow.call("two") == "new"
