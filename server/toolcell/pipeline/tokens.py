"""Bearer tokens: `tc_<env>_<id>_<secret><checksum>`, of which only a SHA-256 digest is kept.

The prefix and the checksum let secret scanners find a leaked token; the id is public and names it in records.
The book in memory is the truth while the server runs (one server owns a database), so a revoked token is
refused by the next request.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import replace
from typing import Final

from toolcell.model.caller import Grants, Token
from toolcell.model.clock import Clock
from toolcell.model.errors import TokenExpired, TokenInvalid, TokenMalformed, TokenNotFound, TokenRevoked
from toolcell.store.interface import Tokens

_SECRET_LENGTH = 32
_FORM: Final = re.compile(r"tc_(?:dev|live)_([0-9a-z]{12})_[0-9A-Za-z]{32}([0-9a-f]{8})")
_SECRET_ALPHABET = string.ascii_letters + string.digits
_ID_ALPHABET = string.ascii_lowercase + string.digits
_NOBODY: Final = Token("", "", hashlib.sha256(secrets.token_bytes(32)).digest(), Grants())


def mint(environment: str) -> tuple[str, str]:
    """Makes a new bearer token; returns its public id and the token (190 bits of secret)."""
    token_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    body = f"tc_{environment}_{token_id}_{secret}"
    return token_id, f"{body}{zlib.crc32(body.encode()):08x}"


def digest(bearer: str) -> bytes:
    """Returns what is kept of a bearer token: 32 bytes of SHA-256."""
    return hashlib.sha256(bearer.encode()).digest()


def public_id(bearer: str) -> str:
    """Returns the id inside a bearer token; raises TokenMalformed when its form or checksum is wrong."""
    match = _FORM.fullmatch(bearer)
    if match is None or int(match[2], 16) != zlib.crc32(bearer[:-8].encode()):
        raise TokenMalformed(
            "The bearer token is not of the form tc_<env>_<id>_<secret>, or its checksum is wrong. "
            "Copy it again, whole; `toolcell token create` makes a new one."
        )
    return match[1]


def _standing(token: Token, now: int) -> Token:
    if token.revoke_time:
        raise TokenRevoked("The bearer token was revoked. Ask for a new one: `toolcell token create`.")
    if token.expire_time and now >= token.expire_time:
        raise TokenExpired("The bearer token has expired. Ask for a new one: `toolcell token create`.")
    return token


class TokenBook:
    """Every token of this server, by id."""

    def __init__(self, store: Tokens, clock: Clock, environment: str) -> None:
        self._store = store
        self._clock = clock
        self._environment = environment
        self._book: dict[str, Token] = {}
        self._change = asyncio.Lock()

    async def load(self) -> None:
        """Reads the tokens from the store; called once, before the server listens."""
        self._book = {token.token_id: token for token in await self._store.load()}

    def verify(self, bearer: str, now: int) -> Token:
        """Returns the token a bearer presents; raises a Token* refusal.

        An unknown id is compared too, against a digest nobody has, so that it takes the same path as a known
        one. Whether a token is revoked or expired is told only to who holds it whole.
        """
        token = self._book.get(public_id(bearer), _NOBODY)
        if not hmac.compare_digest(digest(bearer), token.digest):
            raise TokenInvalid("This server does not know the bearer token. Was it made for another server?")
        return _standing(token, now)

    def recheck(self, token_id: str, now: int) -> Token:
        """Returns a token that was verified before; raises TokenRevoked or TokenExpired if it ended since."""
        token = self._book.get(token_id)
        if token is None:
            raise TokenInvalid(f"This server does not know the token {token_id} any more.")
        return _standing(token, now)

    async def create(
        self, caller: str, note: str, grants: Grants, ttl_seconds: float | None
    ) -> tuple[Token, str]:
        """Makes a token, durably, and returns it with the bearer text, which is kept nowhere."""
        _, bearer = mint(self._environment)
        return await self.enter(bearer, caller, note, grants, ttl_seconds), bearer

    async def enter(
        self, bearer: str, caller: str, note: str, grants: Grants, ttl_seconds: float | None
    ) -> Token:
        """Keeps a bearer token that was made elsewhere."""
        now, token_id = self._clock.wall(), public_id(bearer)
        expire = now + round(ttl_seconds * 1e6) if ttl_seconds else 0
        token = Token(token_id, caller, digest(bearer), grants, note, now, expire)
        await self._store.add(token)
        self._book[token_id] = token
        return token

    async def revoke(self, token_id: str) -> Token:
        """Revokes a token for good and returns it.

        Raises TokenNotFound. Refused at once, durable before it returns.
        """
        async with self._change:
            token = self._book.get(token_id)
            if token is None:
                raise TokenNotFound(
                    f"There is no token {token_id!r}. `toolcell token list` shows them.", token_id=token_id
                )
            if not token.revoke_time:
                token = replace(token, revoke_time=self._clock.wall())
                self._book[token_id] = token
                await self._store.revoke(token_id, token.revoke_time)
            return token

    async def page(self, before: str, limit: int) -> list[Token]:
        """Returns tokens newest first, those after the cursor `before` (a token id)."""
        return await self._store.page(before, limit)

    def get(self, token_id: str) -> Token | None:
        """Returns a token by its public id."""
        return self._book.get(token_id)
