"""The development key is kept while it is good and grants everything, and made anew when not."""

from pathlib import Path

from toolcell.model.caller import GROUPS, Grants
from toolcell.model.clock import SystemClock
from toolcell.pipeline.keys import keep_key
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Retention
from toolcell.store.sqlite import open_store


async def test_a_key_from_before_a_group_was_added_is_made_anew(tmp_path: Path) -> None:
    clock, path = SystemClock(), tmp_path / "dev.key"
    store = await open_store(tmp_path / "state", clock=clock, retention=Retention())
    book = TokenBook(store.tokens, clock, "dev")
    _, bearer = await book.create("dev", "", Grants(frozenset({"invoke"}), ("*",)), None)
    path.write_text(bearer)
    await keep_key(book, path, "dev", clock)
    made = path.read_text().strip()
    assert book.verify(made, clock.wall()).grants.groups == set(GROUPS)
    await keep_key(book, path, "dev", clock)
    assert path.read_text().strip() == made
    await store.close()
