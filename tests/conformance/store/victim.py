"""A program that writes calls into a store until it is killed, and says on stdout what it was told was kept.

Each line is one fact, written after the store's method returned: `open <interrupted>`, `event <id> <text>`,
`begin <id> <SAFE|UNSAFE>`, `end <id>`, `token <id>`.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.conformance.store.samples import ended, invocation, log, token
from toolcell.model.clock import SystemClock
from toolcell.store.interface import Retention
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def call_after_call(store: Store, worker: int) -> None:
    safe = worker % 2 == 0
    number = 0
    while True:
        number += 1
        record = invocation(labels={"worker": str(worker)})
        store.traces.begin(record, retry_safe=safe)
        tell("begin", record.invocation_id, "SAFE" if safe else "UNSAFE")
        for text in ("first", "second"):
            store.traces.append(record.invocation_id, log(text))
            tell("event", record.invocation_id, text)
            await asyncio.sleep(0)
        store.traces.end(ended(record))
        tell("end", record.invocation_id)
        if number % 16 == 0:
            await store.traces.get(record.invocation_id)


async def token_after_token(store: Store) -> None:
    while True:
        number = int.from_bytes(os.urandom(6))
        await store.tokens.add(token(number))
        tell("token", f"tok_{number}")


async def main() -> None:
    store = await open_store(Path(sys.argv[1]), clock=SystemClock(), retention=Retention())
    tell("open", store.interrupted)
    await asyncio.gather(token_after_token(store), *(call_after_call(store, worker) for worker in range(4)))


asyncio.run(main())
