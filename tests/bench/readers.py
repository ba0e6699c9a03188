"""A process of readers: `readers.py ADDRESS BEARER GOOD STOPPED SLOW`.

Says `ready` once all follow. When its stdin ends, it prints as JSON how long after each event the good
readers had it, in milliseconds.
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

import grpc
import uvloop

from toolcell.v1.trace_service_pb2 import StreamTraceRequest, StreamTraceResponse

_PATH = "/toolcell.v1.TraceService/StreamTrace"
_SLOW_SECONDS = 1.0


async def _good(stream: Any, came: list[tuple[float, bytes]]) -> None:
    while message := await stream.read():
        came.append((time.time_ns() / 1e6, message))


async def _slow(stream: Any) -> None:
    while await stream.read():  # noqa: ASYNC110 - it waits to be slow, for nothing else
        await asyncio.sleep(_SLOW_SECONDS)


def _taken(came: list[tuple[float, bytes]]) -> list[float]:
    return [
        when - event.time.ToNanoseconds() / 1e6
        for when, message in came
        for event in StreamTraceResponse.FromString(message).events
    ]


async def main(address: str, bearer: str, good: int, stopped: int, slow: int) -> None:
    """Reads until stdin ends."""
    metadata = (("authorization", f"Bearer {bearer}"),)
    came: list[tuple[float, bytes]] = []
    tasks, streams = [], []
    # Without probes a reader's side takes 64 KiB unread; with them, megabytes.
    options = (("grpc.http2.bdp_probe", 0),) if stopped else ()
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        follow: Any = channel.unary_stream(_PATH)
        for index in range(good + stopped + slow):
            stream = follow(StreamTraceRequest(follow=True).SerializeToString(), metadata=metadata)
            await stream.read()
            streams.append(stream)
            if index < good:
                tasks.append(asyncio.ensure_future(_good(stream, came)))
            elif index < good + slow:
                tasks.append(asyncio.ensure_future(_slow(stream)))
        gc.disable()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(_taken(came)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
