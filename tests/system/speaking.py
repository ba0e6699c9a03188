"""A workspace whose one tool says what it is told to, and clients that follow its events."""

from pathlib import Path
from typing import Any

import grpc

from tests.system.dev_server import Server
from toolcell.v1.tool_service_pb2 import InvokeRequest
from toolcell.v1.tool_service_pb2_grpc import ToolServiceStub
from toolcell.v1.trace_service_pb2 import StreamTraceRequest, StreamTraceResponse
from toolcell.v1.trace_service_pb2_grpc import TraceServiceStub

PROTO = """syntax = "proto3";
package speaking.v1;
// Tools that speak.
service SpeakingService {
  // Says lines.
  rpc Speak(SpeakRequest) returns (SpeakResponse) {
    option idempotency_level = IDEMPOTENT;
  }
}
// What to say.
message SpeakRequest {
  // How many lines.
  int32 lines = 1;
  // How long each line is.
  int32 length = 2;
  // How many seconds to stay afterwards.
  double seconds = 3;
}
// Nothing.
message SpeakResponse {}
"""
HANDLER = """import time

def handler(arguments, cell):
    for number in range(arguments["lines"]):
        print(f"{number} " + "x" * arguments["length"], flush=True)
    time.sleep(arguments["seconds"])
    return {}
"""
POLICY = """[pool]
warm = 2
max = 8
queue = 256
[rate]
per_caller = "10000/s"
per_tool = "10000/s"
burst = 10000
"""


def write_workspace(folder: Path) -> Path:
    """Writes the workspace."""
    (folder / "protos").mkdir(parents=True)
    (folder / "protos/speaking.proto").write_text(PROTO)
    home = folder / "handlers/speak"
    home.mkdir(parents=True)
    (home / "handler.py").write_text(HANDLER)
    (home / "cell.toml").write_text(POLICY)
    return folder


def metadata(server: Server) -> tuple[tuple[str, str], ...]:
    """Returns what presents the dev server's key."""
    return (("authorization", f"Bearer {(server.folder / '.toolcell/dev.key').read_text().strip()}"),)


def address(server: Server) -> str:
    """Returns where a dev server listens."""
    return (server.folder / ".toolcell/address").read_text().strip()


def speak(lines: int, length: int = 20, seconds: float = 0) -> InvokeRequest:
    """Asks for lines."""
    return InvokeRequest(
        tool="speak", arguments_json=f'{{"lines": {lines}, "length": {length}, "seconds": {seconds}}}'
    )


class Channel:
    """A connection of its own to a server, with the stubs."""

    def __init__(self, server: Server) -> None:
        # Without probes a client takes 64 KiB of a stream that nobody reads; with them, megabytes.
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
        self.channel = grpc.aio.insecure_channel(address(server), options=options)
        self.tools = ToolServiceStub(self.channel)
        self.traces = TraceServiceStub(self.channel)
        self.metadata = metadata(server)

    async def follow(self, cursor: str = "", **more: Any) -> Any:
        """Opens a stream and reads its first message."""
        request = StreamTraceRequest(cursor=cursor, follow=True, **more)
        stream: Any = self.traces.StreamTrace(request, metadata=self.metadata)
        first = await stream.read()
        assert isinstance(first, StreamTraceResponse), stream
        return stream

    async def replay(self, cursor: str = "0") -> list[StreamTraceResponse]:
        """Reads what there is."""
        stream: Any = self.traces.StreamTrace(StreamTraceRequest(cursor=cursor), metadata=self.metadata)
        return [message async for message in stream]


def memory(server: Server) -> int:
    """Returns a server's resident bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024
