"""What is saved is served without anybody asking."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import watchfiles

from tests.unit.reload.house import SAYS, House, make_workspace, write_contract, write_handler
from toolcell.model.tool import Tool, Unavailable
from toolcell.reload import Reload


class Followed(House):
    """A house that follows its files, and wakes whoever waits for something to be said."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(workspace)
        self.changed = asyncio.Condition()
        said = self.said.event

        def event(name: str, message: str, **fields: object) -> None:
            said(name, message, **fields)
            self.wake()

        self.said.event = event  # type: ignore[method-assign]

    def wake(self) -> None:
        async def notify() -> None:
            async with self.changed:
                self.changed.notify_all()

        self._waking = asyncio.ensure_future(notify())

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(is_so)

    def has_changed(self, name: str, times: int = 1) -> bool:
        return sum(name in fields.get("changed", "") for fields in self.said.of("reloaded")) >= times


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Followed]:
    built = Followed(make_workspace(tmp_path, "One", "Two"))
    await built.catalog.load()
    async with built.reload.following(tmp_path / "protos", tmp_path / "handlers"):
        yield built
    await built.cells.close()


async def test_a_saved_handler_is_served(house: Followed) -> None:
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.until(lambda: house.has_changed("one"))
    assert await house.call("one") == "new"


async def test_a_new_tool_a_policy_and_a_data_file_are_noticed(house: Followed) -> None:
    write_handler(house.workspace, "three", SAYS.format("three"))
    write_contract(house.workspace, "One", "Two", "Three")
    await house.until(lambda: "three" in house.catalog.snapshot.entries)
    (house.workspace / "handlers/one/data").mkdir()
    await house.until(lambda: house.has_changed("one", 1))
    (house.workspace / "handlers/one/data/words").write_text("words")
    await house.until(lambda: house.has_changed("one", 2))
    (house.workspace / "handlers/one/cell.toml").write_text('read = ["data"]\n')
    await house.until(lambda: house.has_changed("one", 3))


async def test_a_root_that_is_replaced_is_followed_again(house: Followed) -> None:
    (house.workspace / "handlers").rename(house.workspace / "elsewhere")
    await house.until(lambda: house.catalog.snapshot.entries["one"].tool.unavailable is not None)
    (house.workspace / "elsewhere").rename(house.workspace / "handlers")
    await house.until(lambda: house.catalog.snapshot.entries["one"].tool.unavailable is None)
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.until(lambda: house.has_changed("one", 2))
    assert await house.call("one") == "new"


async def test_an_import_that_takes_long_does_not_hold_up_the_save_that_mends_it(house: Followed) -> None:
    began, try_out = asyncio.Event(), house.cells.fault_of

    async def fault_of(tool: Tool) -> Unavailable | None:
        began.set()
        return await try_out(tool)

    house.cells.fault_of = fault_of  # type: ignore[method-assign]
    write_handler(house.workspace, "one", "while True: pass\n")
    await began.wait()
    write_handler(house.workspace, "two", SAYS.format("new two"))
    await house.until(lambda: house.has_changed("two"))
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.until(lambda: house.has_changed("one"))
    assert await house.call("one") == "new"
    assert house.said.of("problem") == []


async def test_a_reload_asked_for_while_a_save_is_tried_answers_for_it(house: Followed) -> None:
    write_handler(house.workspace, "one", SAYS.format("new"))
    await house.reload()
    assert await house.call("one") == "new"


async def test_watching_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "awatch", no_room)
    built = House(make_workspace(tmp_path, "One"))
    await Reload(built.catalog, built.cells, built.said).follow(tmp_path / "protos")
    (said,) = built.said.of("not_watching")
    assert "watch limit reached" in said["message"]
    assert "toolcell reload" in said["message"]
