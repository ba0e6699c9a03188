"""The floor of everything that is kept: rows committed in groups, without a server and behind a bare one."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path


class GroupCommit:
    """The least that keeps a row: one thread that commits what waits, with one fsync for all of it."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT)")
        self._waiting: deque[tuple[str, Callable[[], object]]] = deque()
        self._changed = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def keep(self, body: str, done: Callable[[], object]) -> None:
        with self._changed:
            self._waiting.append((body, done))
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO row (body) VALUES (?)", [(body,) for body, _ in batch])
            self._database.execute("COMMIT")
            for _, done in batch:
                done()


SERVER = """
import asyncio, sys, grpc, uvloop
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.bench.commits import GroupCommit
async def main():
    commit, loop = GroupCommit(Path(sys.argv[1])), asyncio.get_running_loop()
    async def keep(request, context):
        done = loop.create_future()
        commit.keep("x" * 500, lambda: loop.call_soon_threadsafe(done.set_result, None))
        await done
        return request
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(keep)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", {"Keep": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()
uvloop.run(main())
"""
