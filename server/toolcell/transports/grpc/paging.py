"""Pages: an opaque token that continues one query, and bounds on rows and bytes.

A token is the cursor behind a digest of query and cursor: it continues the very query it was made for, and
one that was cut, edited or made for another query is PAGE_TOKEN_INVALID. It grants nothing: every page is
filtered anew for its caller.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from google.protobuf.message import Message

from toolcell.model.errors import PageTokenInvalid, Violation
from toolcell.transports.grpc.requests import Violations, require

MOST_ROWS: Final = 1000
PAGE_BYTES: Final = 3 << 20
"""Bounds an answer below the 4 MiB that a client takes by default, with room for what surrounds the rows."""

_DIGEST_BYTES = 12
_TOKEN_CHARS = 512
_FIRST_BATCH = 8

R = TypeVar("R")
M = TypeVar("M", bound=Message)


class Paged(Protocol):
    """A request for a page."""

    @property
    def page_size(self) -> int:
        """Bounds the page; 0 means the method's default."""
        ...

    @property
    def page_token(self) -> str:
        """Continues an earlier page; "" begins."""
        ...


@dataclass(slots=True)
class Page:
    """What is asked, and what room is left: rows and bytes. `cursor` is the last row of the page before."""

    query: bytes
    cursor: str
    rows: int
    bytes: int = PAGE_BYTES
    is_empty: bool = True

    def takes(self, size: int) -> bool:
        """Counts a row of so many bytes in and returns True, or returns False: the page is full.

        The first row always fits, so that a query goes on however large a row is.
        """
        if not self.is_empty and (self.rows < 1 or self.bytes < size):
            return False
        self.rows, self.bytes, self.is_empty = self.rows - 1, self.bytes - size, False
        return True

    def token(self, cursor: str) -> str:
        """Returns the token that continues this query after the row `cursor`."""
        return _token(self.query, cursor.encode())


def open_page(request: Paged, query: bytes, usual: int) -> Page:
    """Reads a request's page fields; `query` is everything else that decides which rows there are.

    Raises RequestInvalid for a size below 0 or above 1,000, and PageTokenInvalid.
    """
    require(_size(request.page_size))
    return Page(query, _cursor(request.page_token, query), request.page_size or usual)


async def fill(
    page: Page,
    fetch: Callable[[str, int], Awaitable[Sequence[R]]],
    show: Callable[[R], M],
    rows: MutableSequence[M],
    key: Callable[[R], str],
) -> str:
    """Appends messages to a page while they fit; returns the token of the next page, "" at the end.

    `fetch` gives the records after a cursor, at most so many. They are fetched in growing batches: a thousand
    large ones at once would fill the memory.
    """
    before, batch = page.cursor, _FIRST_BATCH
    while True:
        wanted = min(batch, page.rows + 1)
        records = await fetch(before, wanted)
        for record in records:
            message = show(record)
            if not page.takes(message.ByteSize()):
                return page.token(before)
            rows.append(message)
            before = key(record)
        if len(records) < wanted:
            return ""
        batch *= 2


def query(method: str, caller: str, *fields: bytes) -> bytes:
    """Joins what decides a query's rows into one text, without ambiguity."""
    parts = (method.encode(), caller.encode(), *fields)
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _size(value: int) -> Violations:
    if not 0 <= value <= MOST_ROWS:
        yield Violation("page_size", f"must be from 0 to {MOST_ROWS:,}; it is {value}", "int32.gte_lte")


def _token(query: bytes, cursor: bytes) -> str:
    digest = hashlib.blake2b(len(query).to_bytes(4) + query + cursor, digest_size=_DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest + cursor).decode().rstrip("=")


def _cursor(token: str, query: bytes) -> str:
    if not token:
        return ""
    try:
        padded = token[:_TOKEN_CHARS] + "=" * (-len(token) % 4)
        cursor = base64.b64decode(padded, altchars=b"-_", validate=True)[_DIGEST_BYTES:]
        if token == _token(query, cursor):
            return cursor.decode()
    except ValueError:
        pass
    raise PageTokenInvalid(
        "The page token is not one that this query gave. Send `next_page_token` of the page before, "
        "unchanged, with the same filter and the same caller; or begin anew without a token.",
        violations=[
            Violation("page_token", "must be next_page_token of the same query", "PAGE_TOKEN_INVALID")
        ],
    )
