"""A copy is what was digested, is shared where nothing changed, and never changes."""

import os
from pathlib import Path

import pytest

from toolcell.contracts import copies
from toolcell.contracts.copies import Copies
from toolcell.contracts.handlers import MOST_BYTES, HandlerInvalid, digest


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    made = tmp_path / "handlers/tool"
    (made / "data/empty").mkdir(parents=True)
    (made / "handler.py").write_text("one")
    (made / "data/words").write_text("words")
    (made / "data/link").symlink_to(made / "handler.py")
    return made


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    monkeypatch.setattr(copies, "_SETTLED_NANOSECONDS", 0)  # files are as old as they need to be
    return Copies(tmp_path / "copies")


def test_a_copy_has_what_the_directory_has_and_its_digest(kept: Copies, tool: Path, tmp_path: Path) -> None:
    copy = kept.take(tool)
    assert copy.digest == digest(tool) == digest(copy.directory)
    assert copy.directory.parent == tmp_path / "copies/tool"
    assert (copy.directory / "data/link").read_text() == "one"
    assert (copy.directory / "data/link").readlink() == Path("../handler.py")
    assert (copy.directory / "data/empty").is_dir()
    assert (copy.directory / "handler.py").stat().st_mode & 0o777 == 0o400
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == ["tool"]


def test_a_directory_that_did_not_change_is_not_read_again(kept: Copies, tool: Path) -> None:
    assert kept.take(tool) is kept.take(tool)


def test_a_change_makes_another_copy_that_shares_the_rest(kept: Copies, tool: Path) -> None:
    before = kept.take(tool)
    (tool / "handler.py").write_text("two")
    after = kept.take(tool)
    assert after.digest != before.digest
    assert (before.directory / "handler.py").read_text() == "one"
    assert (after.directory / "handler.py").read_text() == "two"
    assert (after.directory / "data/words").samefile(before.directory / "data/words")


def test_a_change_within_one_tick_of_the_clock_is_noticed(tool: Path, tmp_path: Path) -> None:
    """The mark of a file that was just written may not change with the next write."""
    kept = Copies(tmp_path / "copies")
    before = kept.take(tool)
    status = (tool / "handler.py").stat()
    (tool / "handler.py").write_text("two")
    os.utime(tool / "handler.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kept.take(tool).digest != before.digest


@pytest.mark.parametrize("name", ["__pycache__/x.pyc", ".handler.py.swp", "handler.py~", "#handler.py#"])
def test_scrap_is_not_part_of_a_tool(kept: Copies, tool: Path, name: str) -> None:
    before = kept.take(tool)
    (tool / name).parent.mkdir(exist_ok=True)
    (tool / name).write_text("scrap")
    assert kept.take(tool).directory == before.directory
    assert not (before.directory / name).exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../other"])
def test_a_link_that_leaves_is_refused_and_leaves_nothing_behind(
    kept: Copies, tool: Path, tmp_path: Path, target: str
) -> None:
    (tool / "data/out").symlink_to(target)
    with pytest.raises(HandlerInvalid, match="leaves the tool's directory") as caught:
        kept.take(tool)
    assert caught.value.where == "data/out"
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_link_that_leads_to_itself_is_copied_as_it_is(kept: Copies, tool: Path) -> None:
    (tool / "loop").symlink_to("loop")
    assert (kept.take(tool).directory / "loop").is_symlink()


def test_a_pipe_is_not_waited_for(kept: Copies, tool: Path) -> None:
    os.mkfifo(tool / "pipe")
    assert not (kept.take(tool).directory / "pipe").exists()


def test_too_much_is_refused(kept: Copies, tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tool / "large").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(HandlerInvalid, match="holds more than"):
        kept.take(tool)


def test_the_newest_copies_and_those_in_use_are_kept(kept: Copies, tool: Path) -> None:
    made = []
    for number in range(8):
        (tool / "handler.py").write_text(str(number))
        made.append(kept.take(tool).directory)
    kept.tidy({made[1]})
    assert [path for path in made if path.exists()] == [made[1], *made[-copies.KEPT :]]
    kept.tidy(set())
    assert [path for path in made if path.exists()] == made[-copies.KEPT :]


def test_a_server_that_starts_removes_what_the_last_one_left(
    kept: Copies, tool: Path, tmp_path: Path
) -> None:
    kept.take(tool)
    kept = Copies(tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []
    Copies(tmp_path / "copies")  # before the one above could remove anything
    kept.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copies", "handlers"]
