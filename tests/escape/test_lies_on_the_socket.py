"""A hostile handler writes its own bytes to the server: each lie fails its own call, and no other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import call, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.clock import SystemClock
from toolcell.model.errors import Reason
from toolcell.model.span import EventKind

SOURCE = """
import json, os, struct, time
def frame(payload):
    return struct.pack(">I", len(payload)) + payload
def said(**fields):
    return frame(json.dumps(fields).encode())
RESULT = said(kind="result", value="a lie", dropped=0)
ERROR = dict(type="", message="", stack="")
FAILURE = dict(kind="failure", **ERROR, cause="raised", code="", retryable=False, details={}, dropped=0)
def handler(arguments, cell):
    if arguments["lie"]:
        data = eval(arguments["lie"])
        while data:
            data = data[os.write(3, data):]
        time.sleep(600)
    return "the truth"
"""

LIES = {
    "a length beyond every limit": "b'\\xff' * 8",
    "bytes that are no json": "frame(b'{]')",
    "json that is no frame": "frame(b'[1]')",
    "a frame without a kind": "frame(b'{}')",
    "an unknown kind": "said(kind='promote', caller='root')",
    "a frame of the server": "said(kind='call')",
    "a second ready": "said(kind='ready')",
    "a result with a field too many": "said(kind='result', value=1, dropped=0, usage=0)",
    "a result with a field too few": "said(kind='result', value=1)",
    "a field of another type": "said(kind='log', level=1, message='', fields={})",
    "two results": "RESULT * 2",
    "a result and garbage": "RESULT + b'x'",
    "a failure after a result": "RESULT + said(**FAILURE)",
    "a result after a failure": "said(**FAILURE) + RESULT",
    "nesting without end": 'frame(b\'{"kind":"result","dropped":0,"value":\' + b\'[\' * 500_000)',
    "deep nest": "frame(b'{\"kind\":\"result\",\"dropped\":0,\"value\":' + b'[' * 500 + b']' * 500 + b'}')",
    "no number": 'frame(b\'{"kind":"result","dropped":0,"value":NaN}\')',
    "a number without end": 'frame(b\'{"kind":"result","dropped":0,"value":1e9999}\')',
    "half a surrogate pair": 'frame(b\'{"kind":"result","dropped":0,"value":"\\\\ud800"}\')',
    "text that is not utf-8": 'frame(b\'{"kind":"result","dropped":0,"value":"\\xff"}\')',
    "frames without end": "said(kind='progress', fraction=0.5, message='') * 3000",
}
OTHERS = {
    "a result longer than it may be": (
        "said(kind='result', value='x' * 5000, dropped=0)",
        Reason.OUTPUT_TOO_LARGE,
    ),
    "a failure of an unknown cause": ("said(**{**FAILURE, 'cause': 'magic'})", Reason.HANDLER_CRASHED),
    "a part of a frame, then silence": ("b'\\0\\0\\0\\x50{'", Reason.HANDLER_TIMEOUT),
}


@pytest.fixture
async def cells() -> AsyncIterator[Cells]:
    made = Cells(clock=SystemClock(), level=2)
    yield made
    await made.close()


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_is_a_protocol_error_of_its_call_alone(cells: Cells, tmp_path: Path, name: str) -> None:
    tool = make_tool(tmp_path, SOURCE, output_limit_bytes=4096, warm=2)
    honest, lying = await asyncio.gather(
        call(cells, tool, {"lie": ""}), call(cells, tool, {"lie": LIES[name]})
    )
    assert lying.fault.reason is Reason.HANDLER_PROTOCOL_ERROR
    assert lying.fault.metadata["detail"]
    assert lying.of(EventKind.EXCEPTION)[0]["type"] == "ProtocolError"
    assert honest.reply.value == "the truth"


@pytest.mark.parametrize("name", OTHERS)
async def test_other_lies_have_their_own_reason(cells: Cells, tmp_path: Path, name: str) -> None:
    tool = make_tool(tmp_path, SOURCE, output_limit_bytes=4096)
    await cells.prepare(tool)
    lie, reason = OTHERS[name]
    assert (await call(cells, tool, {"lie": lie}, seconds=1)).fault.reason is reason
