"""A real gRPC server over a real store and real tokens; only the pipeline's end and the tools are made up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status

from tests.unit.jobs.works import SAFE, UNSAFE, Bench
from tests.unit.jobs.works import snapshot as snapshot_of_works
from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Catalog, Changes, Entry, Snapshot
from toolcell.contracts.contract import Contract
from toolcell.jobs.engine import JobEngine
from toolcell.jobs.ledger import JobLedger
from toolcell.model.call import Call, Outcome
from toolcell.model.caller import GROUPS, Grants
from toolcell.model.clock import SystemClock
from toolcell.model.ids import new_id, new_span_id, new_trace_id
from toolcell.model.span import Invocation
from toolcell.model.tool import Idempotency, Policy, Tool, Unavailable
from toolcell.pipeline.corridor import Corridor
from toolcell.pipeline.enqueue import enqueue
from toolcell.pipeline.gate import Gate
from toolcell.pipeline.strangers import Strangers
from toolcell.pipeline.tokens import TokenBook
from toolcell.store.interface import Retention, Traces
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store
from toolcell.transports.grpc.server import GrpcServer, Listen, Services
from toolcell.v1.admin_service_pb2_grpc import AdminServiceStub
from toolcell.v1.job_service_pb2_grpc import JobServiceStub
from toolcell.v1.tool_service_pb2_grpc import ToolServiceStub
from toolcell.v1.trace_service_pb2_grpc import TraceServiceStub

QUICK = (("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20))
Metadata = tuple[tuple[str, str], ...]


async def echo(call: Call) -> Outcome:
    """Answers with the arguments."""
    return Outcome(call.question.arguments_json)


@dataclass
class House:
    """What a test needs of the running server. `run` is what comes behind the gate; by default it echoes."""

    services: Services
    server: GrpcServer
    port: int
    channel: grpc.aio.Channel
    traces: Traces
    catalog: Any
    log: list[str]
    cells: Bench
    metadata: Metadata = ()
    run: Callable[[Call], Awaitable[Outcome]] = echo
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tools = ToolServiceStub(self.channel)
        self.jobs = JobServiceStub(self.channel)
        self.trace = TraceServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)

    async def token(self, *groups: str, caller: str = "ada", tools: tuple[str, ...] = ("*",)) -> Metadata:
        """Makes a token and returns the metadata that presents it."""
        grants = Grants(frozenset(groups or GROUPS), tools)
        _, bearer = await self.services.tokens.create(caller, "", grants, None)
        return (("authorization", f"Bearer {bearer}"),)

    def serve(self, *tools: Tool) -> None:
        """Serves other tools from now on."""
        self.catalog.snapshot = snapshot(*tools)
        for heard in self.catalog.listeners:
            heard()

    async def raw(self, path: str, body: bytes = b"", metadata: Metadata | None = None) -> bytes:
        """Calls a path with bytes."""
        call: Any = self.channel.unary_unary(path)
        return cast("bytes", await call(body, metadata=self.metadata if metadata is None else metadata))


@asynccontextmanager
async def house(directory: Path, **listen: Any) -> AsyncIterator[House]:
    """Opens a server on loopback with a token that may do everything, and drains it at the end."""
    clock = SystemClock()
    store = await open_store(directory, clock=clock, retention=Retention())
    tokens = TokenBook(store.tokens, clock, "dev")
    catalog = SimpleNamespace(snapshot=snapshot(tool("echo"), tool("search_customer")), listeners=[])
    catalog.listen = catalog.listeners.append
    log: list[str] = []

    async def reload() -> Changes:
        catalog.snapshot = snapshot(tool("echo"), tool("quote"))
        return Changes(("quote",), (), ("search_customer",), catalog.snapshot.problems)

    async def invoke(call: Call) -> Outcome:
        call.record = Invocation(new_id("inv"), new_trace_id(), new_span_id(), create_time=clock.wall())
        call.caller = services.gate.admit(call.authorization, "invoke")
        call.question = call.read()
        open_house.calls.append(call)
        try:
            return await open_house.run(call)
        finally:
            call.record.end_time = call.record.create_time + 1500

    gate = Gate(tokens, clock, Strangers(clock, lambda _: None))
    cells = Bench()
    corridor = corridor_of(gate, store, tokens, cells, log)
    engine = JobEngine(corridor, store.jobs, most_waits=10)
    services = Services(
        invoke,
        gate,
        tokens,
        store.traces,
        cast("Catalog", catalog),
        reload,
        clock,
        2,
        log.append,
        enqueue(corridor, engine.accept),
        JobLedger(store.jobs, engine),
    )
    server = GrpcServer(services, Listen("127.0.0.1:0", **listen))
    try:
        port = await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=QUICK) as channel:
            open_house = House(services, server, port, channel, store.traces, catalog, log, cells)
            open_house.metadata = await open_house.token()
            yield open_house
    finally:
        await server.drain(0)
        await engine.drain(0)
        await store.close()


def corridor_of(gate: Gate, store: Store, tokens: TokenBook, cells: Bench, log: list[str]) -> Corridor:
    """Builds what jobs walk through; their tools are those of the works."""
    clock = SystemClock()
    return Corridor(
        gate=gate,
        tokens=tokens,
        snapshot=lambda: snapshot_of_works(SAFE, UNSAFE),
        cells=cast("Cells", cells),
        traces=store.traces,
        clock=clock,
        observe=lambda _: None,
        log=log.append,
    )


def tool(name: str, unavailable: Unavailable | None = None, **parts: Any) -> Tool:
    """Makes a tool."""
    parts = {"title": name.title(), "description": f"Does {name}.", "revision": f"rev_{name}", **parts}
    parts = {"path": f"/examples.v1.Tools/{name}", **parts}
    return Tool(
        name=name,
        idempotency=Idempotency.NO_SIDE_EFFECTS,
        timeout_seconds=1.5,
        output_limit_bytes=1000,
        directory=Path(),
        policy=Policy(),
        unavailable=unavailable,
        **parts,
    )


def snapshot(*tools: Tool) -> Snapshot:
    """Makes a snapshot of tools whose schemas are made up."""
    contract = cast("Contract", SimpleNamespace(input_schema_json='{"in":1}', output_schema_json='{"out":1}'))
    ordered = sorted(tools, key=lambda it: it.name)
    return Snapshot({it.name: Entry(it, contract) for it in ordered}, (), "digest")


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """Awaits a call that must be refused, with exactly one ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert len(all_of(refused.value, details.ErrorInfo)) == 1
    return refused.value


def info(error: grpc.aio.AioRpcError) -> details.ErrorInfo:
    """Returns a refusal's ErrorInfo."""
    return all_of(error, details.ErrorInfo)[0]


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """Returns the paths of the fields that a refusal names."""
    return [v.field for bad in all_of(error, details.BadRequest) for v in bad.field_violations]


def all_of(error: grpc.aio.AioRpcError, kind: Any) -> list[Any]:
    """Returns every detail of a kind."""
    status = rpc_status.from_call(cast("grpc.Call", error))
    assert status is not None, f"{error.code()} {error.details()} has no details"
    return [kind.FromString(packed.value) for packed in status.details if packed.Is(kind.DESCRIPTOR)]


def send_frames(port: int, path: bytes, *headers: tuple[bytes, bytes]) -> bytes:
    """Sends one empty request by hand, as no client library sends such bytes; returns what comes back."""

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload

    def header(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    pseudo = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"localhost"))
    block = b"".join(
        header(*pair)
        for pair in (*pseudo, (b"te", b"trailers"), (b"content-type", b"application/grpc"), *headers)
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        peer.sendall(frame(1, 4, 1, block) + frame(0, 1, 1, b"\0" * 5))
        came = b""
        while b"grpc-status" not in came and (part := peer.recv(4096)):
            came += part
    return came


async def by_hand(port: int, path: bytes, *headers: tuple[bytes, bytes]) -> bytes:
    """Does `send_frames` while the server's loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(None, send_frames, port, path, *headers)
