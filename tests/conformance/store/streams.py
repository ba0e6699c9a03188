"""How the tests of the stream read it."""

import json
from collections.abc import Sequence
from typing import Any

from tests.conformance.store.samples import ended, invocation, log
from toolcell.model.errors import Executed, Failure, Reason
from toolcell.model.span import Invocation
from toolcell.store.happenings import Batch, EventFilter, Following, Happening
from toolcell.store.lifecycle import Store

ALL = EventFilter()
FAILURE = Failure(Reason.TOOL_ERROR, "no such customer", {"secret": "detail"}, executed=Executed.YES)


def call(store: Store, *texts: str, **more: Any) -> Invocation:
    """Records a whole call that logs some texts."""
    record = invocation(**more)
    store.traces.begin(record, retry_safe=True)
    for text in texts:
        store.traces.append(record.invocation_id, log(text))
    store.traces.end(ended(record))
    return record


def follow(store: Store, chosen: EventFilter = ALL, cursor: str = "") -> Following:
    """Takes an endless place."""
    return store.traces.follow(chosen, cursor, is_endless=True)


async def first(following: Following) -> Batch:
    return await anext(aiter(following))


async def take(following: Following, count: int) -> list[Happening]:
    """Reads so many events, live."""
    found: list[Happening] = []
    while len(found) < count:
        found += (await first(following)).events
    return found


async def replay(store: Store, chosen: EventFilter = ALL, cursor: str = "0") -> list[Batch]:
    """Reads what there is."""
    following = store.traces.follow(chosen, cursor, is_endless=False)
    try:
        return [batch async for batch in following]
    finally:
        following.close()


def events(batches: Sequence[Batch]) -> list[Happening]:
    return [happening for batch in batches for happening in batch.events]


def told(happenings: Sequence[Happening]) -> list[str]:
    """Says events in short: the kind, or what was logged."""
    return [
        json.loads(each.body)["message"] if each.kind == "log" else each.kind.upper() for each in happenings
    ]
