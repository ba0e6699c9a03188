"""Notices that somebody saved a file of the workspace."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from toolcell.contracts.handlers import is_scrap

_STEP_MILLISECONDS: Final = 20
_GROUP_MILLISECONDS: Final = 200
_LOOK_MILLISECONDS: Final = 1000


class WatchFailed(Exception):  # noqa: N818 - the state of watching
    """The system does not let us watch: says why."""


async def saves(*roots: Path) -> AsyncGenerator[None, None]:
    """Yields after each burst of changes under the roots: 20 ms after the last one, 200 ms after the first.

    Hidden files, caches and editors' swap files are passed over. A root that is made, replaced or removed is
    noticed within a second. Yields once soon after the beginning, for what was saved before anybody watched.
    Raises WatchFailed.
    """
    places = [root.resolve() for root in roots]
    while True:
        watched, is_first = _identities(places), True
        try:
            async for has_changes in _bursts([place for place in places if watched[place]]):
                if has_changes or is_first:
                    yield
                is_first = False
                if _identities(places) != watched:
                    break
        except OSError as error:
            if _identities(places) == watched:  # else a root went while it was being looked at
                raise WatchFailed(str(error)) from error


async def _bursts(places: list[Path]) -> AsyncGenerator[bool, None]:
    """Yields whether anything changed, each time that something did, and once a second."""
    from watchfiles import awatch  # noqa: PLC0415 - a server that never watches starts without it

    batches = awatch(
        *places,
        watch_filter=lambda _, path: _is_watched(Path(path), places),
        step=_STEP_MILLISECONDS,
        debounce=_GROUP_MILLISECONDS,
        rust_timeout=_LOOK_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=asyncio.Event(),
    )
    async with contextlib.aclosing(batches):
        async for batch in batches:
            yield bool(batch)


def _is_watched(path: Path, places: list[Path]) -> bool:
    inside = next((path.relative_to(place).parts for place in places if path.is_relative_to(place)), ())
    return not any(part.startswith(".") or is_scrap(part) for part in inside)


def _identities(places: list[Path]) -> dict[Path, tuple[int, int] | None]:
    """Returns what stands at each place: a folder that was replaced is watched no more."""
    found: dict[Path, tuple[int, int] | None] = {}
    for place in places:
        try:
            status = place.stat()
        except OSError:
            found[place] = None
        else:
            found[place] = (status.st_dev, status.st_ino)
    return found
