"""Bearer tokens: their form, their checksum, and who gets in."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcell.model.caller import Grants, Token
from toolcell.model.clock import SystemClock
from toolcell.model.errors import (
    Reason,
    RpcForbidden,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    TokenNotFound,
    TokenRevoked,
)
from toolcell.pipeline.gate import Gate, visible
from toolcell.pipeline.strangers import Strangers
from toolcell.pipeline.tokens import TokenBook, mint, public_id

GRANTS = Grants(frozenset({"invoke"}), ("search_*",))


class Shelf:
    """Keeps tokens in a dict: what the book needs of a store."""

    def __init__(self) -> None:
        self.kept: dict[str, Token] = {}

    async def load(self) -> list[Token]:
        return list(self.kept.values())

    async def add(self, token: Token) -> None:
        self.kept[token.token_id] = token

    async def revoke(self, token_id: str, time: int) -> None:
        self.kept[token_id] = replace(self.kept[token_id], revoke_time=time)

    async def page(self, before: str, limit: int) -> list[Token]:
        raise NotImplementedError


class Clock(SystemClock):
    now = 1_000_000

    def wall(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> TokenBook:
    return TokenBook(Shelf(), clock, "dev")


@pytest.fixture
def refused() -> list[Mapping[Reason, int]]:
    return []


@pytest.fixture
def gate(book: TokenBook, clock: Clock, refused: list[Mapping[Reason, int]]) -> Gate:
    return Gate(book, clock, Strangers(clock, refused.append))


async def test_a_token_opens_its_groups_only(book: TokenBook, gate: Gate) -> None:
    token, bearer = await book.create("ada", "", GRANTS, None)
    caller = gate.admit(f"Bearer {bearer}", "invoke")
    assert (caller.name, caller.token_id) == ("ada", token.token_id)
    assert gate.admit(f"bearer {bearer}", "invoke") == caller
    with pytest.raises(RpcForbidden):
        gate.admit(f"Bearer {bearer}", "admin")


async def test_revoked_and_expired_are_told_apart(book: TokenBook, gate: Gate, clock: Clock) -> None:
    token, bearer = await book.create("ada", "", GRANTS, 60)
    clock.now += 60_000_000
    with pytest.raises(TokenExpired):
        gate.identify(f"Bearer {bearer}")
    clock.now -= 1
    assert gate.identify(f"Bearer {bearer}").name == "ada"
    await book.revoke(token.token_id)
    with pytest.raises(TokenRevoked):
        gate.identify(f"Bearer {bearer}")
    assert (await book.revoke(token.token_id)).revoke_time == clock.now
    with pytest.raises(TokenNotFound):
        await book.revoke("nobody")


async def test_a_book_loaded_anew_knows_the_token(clock: Clock) -> None:
    shelf = Shelf()
    _, bearer = await TokenBook(shelf, clock, "live").create("ada", "", GRANTS, None)
    again = TokenBook(shelf, clock, "live")
    await again.load()
    assert again.verify(bearer, clock.now).caller == "ada"
    assert bearer.encode() not in shelf.kept[public_id(bearer)].digest


async def test_forged_tokens_do_not_get_in(book: TokenBook, clock: Clock) -> None:
    token, _ = await book.create("ada", "", GRANTS, None)
    _, other = mint("dev")
    with pytest.raises(TokenInvalid):
        book.verify(other, clock.now)
    forged_id, forged = mint("dev")
    body = forged.replace(forged_id, token.token_id)[:-8]
    import zlib

    with pytest.raises(TokenInvalid):
        book.verify(f"{body}{zlib.crc32(body.encode()):08x}", clock.now)


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer", "tc_dev_x"])
def test_no_bearer_is_missing(gate: Gate, authorization: str) -> None:
    with pytest.raises(TokenMissing):
        gate.identify(authorization)


@given(st.integers(0, 70), st.sampled_from("aA0_zé\x00"))
def test_one_changed_character_is_malformed_or_unknown(position: int, character: str) -> None:
    _, bearer = mint("dev")
    changed = bearer[:position] + character + bearer[position + 1 :]
    book = TokenBook(Shelf(), SystemClock(), "dev")
    with pytest.raises((TokenMalformed, TokenInvalid)):
        book.verify(changed, 0)


async def test_who_is_refused_is_counted_and_who_is_looked_at_is_not(
    book: TokenBook, gate: Gate, refused: list[Mapping[Reason, int]]
) -> None:
    _, bearer = await book.create("ada", "", GRANTS, None)
    assert gate.knows(f"Bearer {bearer}")
    assert not gate.knows("Bearer tc_dev_x")
    gate.identify(f"Bearer {bearer}")
    with pytest.raises(RpcForbidden):
        gate.admit(f"Bearer {bearer}", "admin")
    assert refused == []
    with pytest.raises(TokenMalformed):
        gate.admit("Bearer tc_dev_x", "invoke")
    assert refused == [{Reason.TOKEN_MALFORMED: 1}]


async def test_a_caller_sees_its_own_records_unless_granted_more(book: TokenBook, gate: Gate) -> None:
    _, own = await book.create("ada", "", Grants(frozenset({"traces"})), None)
    ada = gate.admit(f"Bearer {own}", "traces")
    assert visible(ada, "") == "ada"
    assert visible(ada, "ada") == "ada"
    with pytest.raises(RpcForbidden):
        visible(ada, "bob")
    _, more = await book.create("eve", "", Grants(frozenset({"traces", "traces.all"})), None)
    eve = gate.admit(f"Bearer {more}", "traces")
    assert (visible(eve, ""), visible(eve, "bob")) == ("", "bob")
