"""Prints events of the trace, one JSON object a line.

    python clients/python/tail.py [--follow] [--invocation ID] [CURSOR]

It begins after CURSOR and ends with what has happened so far; --follow goes on with what happens from now on.
Without CURSOR it begins with the oldest event that is kept, or with --follow now. Every event carries the
cursor that resumes after it; what retention removed before is told as {"gap": ...}.
"""

import argparse
import asyncio
import json
import signal
import sys

import grpc
from agent_loop import connect, find_server
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from toolcell.v1 import trace_service_pb2, trace_service_pb2_grpc

OLDEST, NOW = "0", ""


def show(message: Message, within: str = "") -> None:
    """Prints a message at once, with the contract's own field names."""
    data = MessageToDict(message, preserving_proto_field_name=True)
    print(json.dumps({within: data} if within else data, ensure_ascii=False), flush=True)


async def main(request: trace_service_pb2.StreamTraceRequest) -> None:
    """Prints what the stream brings until it ends; raises grpc.RpcError when the server goes away."""
    address, token = find_server()
    async with connect(address) as channel:
        stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        async for answer in stub.StreamTrace(request, metadata=(("authorization", f"Bearer {token}"),)):
            if answer.HasField("gap"):
                show(answer.gap, within="gap")
            for event in answer.events:
                show(event)


def read(arguments: list[str]) -> trace_service_pb2.StreamTraceRequest:
    """Returns what the command line asks for."""
    parser = argparse.ArgumentParser(prog="tail.py", description="Prints events of the trace.")
    parser.add_argument("--follow", action="store_true", help="go on with what happens from now on")
    parser.add_argument("--invocation", metavar="ID", default="", help="only this invocation's")
    parser.add_argument("cursor", metavar="CURSOR", nargs="?", help="begin after it; 0 is the oldest event")
    given = parser.parse_args(arguments)
    return trace_service_pb2.StreamTraceRequest(
        filter=trace_service_pb2.EventFilter(invocation_id=given.invocation),
        cursor=(NOW if given.follow else OLDEST) if given.cursor is None else given.cursor,
        follow=given.follow,
    )


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGPIPE):  # Ctrl-C, and a reader that has seen enough
        signal.signal(ending, signal.SIG_DFL)
    try:
        asyncio.run(main(read(sys.argv[1:])))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is not there. Start `toolcell dev`, or set TOOLCELL_SERVER and a token.")
