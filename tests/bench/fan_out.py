"""The floor of StreamTrace: a bare grpc.aio server that tells everybody the time, so often and so apart.

`fan_out.py READERS COUNT APART_SECONDS` prints its port, and begins when all readers are there.
"""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

from toolcell.v1.trace_service_pb2 import StreamTraceResponse

_PATH = "/toolcell.v1.TraceService/StreamTrace"


async def main(readers: int, count: int, apart_seconds: float) -> None:
    """Serves until everything has been told and stdin ends."""
    waiting: list[asyncio.Queue[bytes]] = []
    complete = asyncio.Event()

    async def follow(_: object, context: Any) -> None:
        await context.read()
        await context.write(StreamTraceResponse(cursor="0").SerializeToString())
        told: asyncio.Queue[bytes] = asyncio.Queue()
        waiting.append(told)
        if len(waiting) == readers:
            complete.set()
        while True:
            await context.write(await told.get())

    class Everything(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.stream_stream_rpc_method_handler(follow)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Everything(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await complete.wait()
    for _ in range(count):
        await asyncio.sleep(apart_seconds)
        message = StreamTraceResponse()
        message.events.add().time.GetCurrentTime()
        for told in waiting:
            told.put_nowait(message.SerializeToString())
    print("done", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
