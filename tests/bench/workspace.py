"""Workspaces of trivial tools, and the processes that are measured."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

HEADER = """syntax = "proto3";
package bench.v1;
import "buf/validate/validate.proto";
// Adds.
message AddRequest {
  // The first number.
  int32 a = 1 [(buf.validate.field).int32.gte = 0];
  // The second number.
  int32 b = 2;
}
// The sum.
message AddResponse {
  // The sum.
  int32 sum = 1;
}
// Tools to measure.
service BenchService {
"""
METHOD = """  // Adds two numbers.
  rpc Add{n}(AddRequest) returns (AddResponse) {{
    option idempotency_level = NO_SIDE_EFFECTS;
  }}
"""
HANDLER = "def handler(arguments, cell):\n    return {'sum': arguments['a'] + arguments['b']}\n"
POLICY = """[pool]
warm = 4
max = 32
queue = 256
[rate]
per_caller = "100000/s"
per_tool = "100000/s"
burst = 100000
"""


def make(folder: Path, tools: int) -> Path:
    """Writes a workspace with the tools add0, add1, …; returns its folder."""
    (folder / "protos").mkdir(parents=True)
    methods = "".join(METHOD.format(n=n) for n in range(tools))
    (folder / "protos" / "bench.proto").write_text(HEADER + methods + "}\n")
    for n in range(tools):
        home = folder / "handlers" / f"add{n}"
        home.mkdir(parents=True)
        (home / "handler.py").write_text(HANDLER)
        (home / "cell.toml").write_text(POLICY)
    return folder


@dataclass(frozen=True, slots=True)
class Running:
    """A server process that answers: where, with which token, and how long it took to say so (seconds)."""

    pid: int
    address: str
    metadata: tuple[tuple[str, str], ...]
    took: float

    def channel(self) -> grpc.Channel:
        """Opens a channel that takes long lists."""
        return grpc.insecure_channel(self.address)

    def memory(self) -> int:
        """Returns the server process's resident bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def processor_seconds(self) -> float:
        """Returns the CPU time that the server process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def children(self) -> int:
        """Counts the processes that the server has started and that live."""
        return sum(len(f.read_text().split()) for f in Path(f"/proc/{self.pid}/task").glob("*/children"))


@contextmanager
def serve(workspace: Path) -> Iterator[Running]:
    """Starts `toolcell dev` on a workspace, and stops it."""
    begun = time.perf_counter()
    command = [str(Path(sys.executable).with_name("toolcell")), "dev", "--grpc", "127.0.0.1:0"]
    with (
        (workspace / "log").open("w") as log,
        subprocess.Popen(command, cwd=workspace, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            if not any("One line a call" in line for line in process.stdout):
                raise RuntimeError((workspace / "log").read_text())
            took = time.perf_counter() - begun
            state = workspace / ".toolcell"
            bearer = (state / "dev.key").read_text().strip()
            metadata = (("authorization", f"Bearer {bearer}"),)
            # Nobody wants the lines of the calls, but the pipe must not fill.
            threading.Thread(target=deque, args=(process.stdout, 0), daemon=True).start()
            yield Running(process.pid, (state / "address").read_text().strip(), metadata, took)
        finally:
            process.terminate()
            process.wait(20)


ECHO = """
import asyncio, sys, grpc, uvloop
async def main():
    async def echo(request, context):
        return request
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", {"Echo": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()
uvloop.run(main())
"""


@contextmanager
def echo() -> Iterator[str]:
    """Starts the floor of every call: a bare grpc.aio echo on the same event loop. Gives its address."""
    with bare(ECHO) as server:
        yield server.address


@contextmanager
def bare(program: str, *arguments: str) -> Iterator[Running]:
    """Starts a program that prints the port of its gRPC server, which asks for no token."""
    begun = time.perf_counter()
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            yield Running(process.pid, address, (), time.perf_counter() - begun)
        finally:
            process.kill()
