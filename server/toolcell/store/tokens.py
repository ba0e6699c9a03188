"""Bearer tokens as kept: `interface.Tokens` over any database."""

from toolcell.model.caller import Token
from toolcell.store.interface import Database
from toolcell.store.rows import token_from, token_row


class TokenTable:
    """Keeps tokens in the table `token`; see `interface.Tokens`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[Token]:
        """Returns every token, newest first."""
        return [token_from(row) for row in await self._database.query("tokens", {})]

    async def add(self, token: Token) -> None:
        """Keeps a new token, durably."""
        await self._database.execute("add_token", token_row(token))

    async def revoke(self, token_id: str, time: int) -> None:
        """Revokes a token from `time` (microseconds) on, durably; the first time stays."""
        await self._database.execute("revoke_token", {"token_id": token_id, "time": time})

    async def page(self, before: str, limit: int) -> list[Token]:
        """Returns at most `limit` tokens older than `before`, newest first."""
        rows = await self._database.query("page_tokens", {"before": before, "limit": limit})
        return [token_from(row) for row in rows]
