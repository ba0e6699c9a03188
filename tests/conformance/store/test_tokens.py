"""Tokens are the same on every database."""

import dataclasses

from tests.conformance.store.samples import NOW, token
from toolcell.model.caller import Grants
from toolcell.store.lifecycle import Store


async def test_a_token_comes_back_as_it_was_added(store: Store) -> None:
    given = token(note="für Ada ☃", expire_time=NOW + 99, grants=Grants(frozenset({"admin"}), ("*", "x_?")))
    await store.tokens.add(given)
    assert await store.tokens.load() == [given]


async def test_tokens_are_loaded_newest_first(store: Store) -> None:
    for number in (2, 3, 1):
        await store.tokens.add(token(number))
    assert [each.token_id for each in await store.tokens.load()] == ["tok_3", "tok_2", "tok_1"]


async def test_a_revoked_token_is_kept_with_the_time_it_was_revoked_first(store: Store) -> None:
    await store.tokens.add(token())
    await store.tokens.revoke("tok_1", NOW + 7)
    await store.tokens.revoke("tok_1", NOW + 8)
    assert await store.tokens.load() == [dataclasses.replace(token(), revoke_time=NOW + 7)]


async def test_revoking_a_token_leaves_the_others_alone(store: Store) -> None:
    await store.tokens.add(token(1))
    await store.tokens.add(token(2))
    await store.tokens.revoke("tok_1", NOW)
    assert [each.revoke_time for each in await store.tokens.load()] == [0, NOW]


async def test_revoking_a_token_there_is_not_changes_nothing(store: Store) -> None:
    await store.tokens.revoke("tok_9", NOW)
    assert await store.tokens.load() == []


async def test_pages_of_tokens_join_up_also_where_times_are_equal(store: Store) -> None:
    given = [token(number, create_time=NOW + number // 2) for number in range(7)]
    for each in given:
        await store.tokens.add(each)
    seen, before = [], ""
    while page := await store.tokens.page(before, 2):
        seen += page
        before = page[-1].token_id
    assert seen == await store.tokens.load()
    assert len(seen) == 7


async def test_a_page_after_a_token_there_is_not_is_empty(store: Store) -> None:
    await store.tokens.add(token())
    assert await store.tokens.page("tok_9", 10) == []
