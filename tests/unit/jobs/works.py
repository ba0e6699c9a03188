"""An engine over a real store, real tokens and real chains; only the cells and the contracts are made up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from toolcell.cells.pool import Cells, Reply, Request
from toolcell.contracts.catalog import Entry, Snapshot
from toolcell.contracts.contract import Contract
from toolcell.jobs.engine import JobEngine
from toolcell.jobs.ledger import JobLedger
from toolcell.model.call import Call, Question
from toolcell.model.caller import GROUPS, Caller, Grants
from toolcell.model.clock import SystemClock
from toolcell.model.errors import Cancelled, HandlerFault, InputInvalid, Violation
from toolcell.model.job import Job
from toolcell.model.span import EventKind, State, Usage
from toolcell.model.tool import Idempotency, Policy, Pool, Rate, Tool
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.enqueue import enqueue
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.strangers import Strangers
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Retention
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store

Emit = Callable[[EventKind, Mapping[str, Any]], None]


class Bench:
    """Cells that hold every call until the test answers it."""

    level = 2

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Future[object]] = {}
        self.requests: list[Request] = []
        self.order: list[str] = []
        self.said: dict[str, Emit] = {}
        self.refusals: list[Exception] = []
        self.deaf = False  # to SIGTERM
        self._changed = asyncio.Condition()

    async def run(self, tool: Tool, request: Request, deadline: float, emit: Emit) -> Reply:
        if self.refusals:
            raise self.refusals.pop(0)
        number = json.loads(request.arguments_json).get("n", "")
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.running[number] = answer
        self.said[number] = emit
        self.requests.append(request)
        self.order.append(number)
        answer.request = request  # type: ignore[attr-defined]
        async with self._changed:
            self._changed.notify_all()
        try:
            value = await answer
        finally:
            del self.running[number]
        fault = value if isinstance(value, HandlerFault) else None
        return Reply(None if fault else value, fault, Usage(1, 1), 1_800_000_000_000_000)

    def stop(self, invocation_id: str) -> bool:
        for answer in self.running.values():
            if answer.request.invocation_id == invocation_id:  # type: ignore[attr-defined]
                if not self.deaf and not answer.done():
                    answer.set_result(Cancelled(tool="t"))
                return True
        return False

    def answer(self, number: str, value: object) -> None:
        """Ends a call with a value, or a fault."""
        self.running[number].set_result(value)

    async def has(self, *numbers: str) -> None:
        """Waits until just these calls run."""
        async with self._changed:
            await self._changed.wait_for(lambda: set(numbers) <= set(self.running))


async def until(condition: Callable[[], bool]) -> None:
    """Lets everybody else have their turns until something is so."""
    while not condition():  # noqa: ASYNC110 - nobody would set an event: what is looked at is inside
        await asyncio.sleep(0)


def decode(arguments_json: str) -> str:
    """Stands for a contract that wants an object without a field `bad`."""
    value = json.loads(arguments_json or "{}")
    if "bad" in value:
        raise InputInvalid(violations=[Violation("bad", "is not known")], tool="t")
    return json.dumps(value)


def a_tool(name: str, **more: Any) -> Tool:
    """Makes a tool with two slots."""
    given: dict[str, Any] = {
        "idempotency": Idempotency.IDEMPOTENT,
        "policy": Policy(pool=Pool(max=2, queue=2), rate=Rate(10_000, 10_000, 10_000)),
        "revision": "r1",
        "timeout_seconds": 30.0,
    }
    given |= more
    return Tool(
        name=name,
        title="",
        description="",
        path=f"/t.T/{name}",
        output_limit_bytes=1000,
        directory=Path(),
        **given,
    )


def snapshot(*tools: Tool) -> Snapshot:
    """Makes a snapshot of tools that share a contract."""
    contract = cast("Contract", SimpleNamespace(decode=decode, encode=json.dumps))
    return Snapshot({tool.name: Entry(tool, contract) for tool in tools})


@dataclass
class Works:
    """A life of a server."""

    store: Store
    tokens: TokenBook
    cells: Bench
    catalog: Any
    engine: JobEngine
    corridor: Corridor
    log: list[str]
    bearer: str = ""

    def __post_init__(self) -> None:
        self.ledger = JobLedger(self.store.jobs, self.engine)
        self.chain = enqueue(self.corridor, self.engine.accept)

    async def token(self, *groups: str, caller: str = "ada", tools: tuple[str, ...] = ("*",)) -> str:
        """Makes a token."""
        grants = Grants(frozenset(groups or GROUPS), tools)
        return (await self.tokens.create(caller, "", grants, None))[1]

    def serve(self, *tools: Tool) -> None:
        """Serves other tools from now on."""
        self.catalog.snapshot = snapshot(*tools)

    async def start(self, number: str, tool: str = "safe", bearer: str = "", **more: Any) -> Job:
        """Starts a job through the whole chain."""
        arguments = more.pop("arguments", {"n": number})
        question = Question(tool, json.dumps(arguments), **more)
        call = Call(
            authorization=f"Bearer {bearer or self.bearer}",
            traceparent="",
            deadline=None,
            read=lambda: question,
        )
        job = (await self.chain(call)).job
        assert job is not None
        return job

    async def pending(self, bearer: str = "") -> Job:
        """Starts three jobs of the safe tool and returns the third, which has to wait."""
        for number in "12":
            await self.start(number)
        job = await self.start("3", bearer=bearer)
        assert job.state is State.PENDING
        return job

    async def row(self, job: Job) -> Job:
        """Returns what is on disk."""
        found = await self.store.jobs.get(job.job_id)
        assert found is not None
        return found

    async def end(self, job: Job) -> Job:
        """Waits until a job has ended."""
        return await self.ledger.wait(Caller("root", "t", Grants(frozenset(GROUPS))), job.job_id, 30)


SAFE, UNSAFE = a_tool("safe"), a_tool("unsafe", idempotency=Idempotency.UNSET)


@asynccontextmanager
async def works(directory: Path, *, waits: int = 100) -> AsyncIterator[Works]:
    """Opens a store and lives one life of a server over it; what the last one left runs at once."""
    clock = SystemClock()
    store = await open_store(directory, clock=clock, retention=Retention())
    tokens = TokenBook(store.tokens, clock, "dev")
    await tokens.load()
    catalog = SimpleNamespace(snapshot=snapshot(SAFE, UNSAFE))
    cells, log = Bench(), list[str]()
    corridor = Corridor(
        gate=Gate(tokens, clock, Strangers(clock, lambda _: None)),
        tokens=tokens,
        snapshot=lambda: catalog.snapshot,
        cells=cast("Cells", cells),
        traces=store.traces,
        clock=clock,
        observe=lambda _: None,
        log=log.append,
    )
    engine = JobEngine(corridor, store.jobs, most_waits=waits)
    made = Works(store, tokens, cells, catalog, engine, corridor, log)
    made.bearer = await made.token()
    await engine.recover()
    yield made
    await engine.drain(0)
    await store.close()


def again(tool: Tool, **more: Any) -> Tool:
    """Makes another revision of a tool."""
    return replace(tool, **more)
