"""A handler's author owns the zygote that imported it. What is done there harms that author's tool alone."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import call, dead, make_tool
from toolcell.cells import zygote
from toolcell.cells.pool import Cells
from toolcell.model.errors import Refusal, ToolUnavailable

PRELUDE = """
import array, json, os, socket, struct, sys, threading
control = socket.socket(fileno=os.dup(3))
def say(kind, *descriptors, **fields):
    payload = json.dumps({"kind": kind, **fields}).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    control.sendmsg([struct.pack(">I", len(payload)), payload], rights)
def spawned():
    message, ancillary, _, _ = control.recvmsg(4096, 64)
    return json.loads(message[4:])["serial"]
def exited(serial):
    say("exited", serial=serial, exit=0, signal=0, cpu_microseconds=0, memory_peak_bytes=0)
def handler(arguments, cell):
    return "never"
"""

LIES = {
    "an unknown frame": "say('hello')",
    "a frame out of turn": "say('spawned', serial=1)",
    "a frame of another shape": "say('started', extra=1)",
    "no frame": "control.send(b'x')",
    "an empty message's frame": "control.send(struct.pack('>I', 0))",
    "two frames in a message": "control.send((struct.pack('>I', 18) + b'{\"kind\":\"started\"}') * 2)",
    "a frame longer than it says": "control.send(struct.pack('>I', 2) + b'{}{}')",
    "a huge message": "control.send(b'x' * 100_000)",
    "descriptors where none belong": "say('started', 0, 1)",
    "more descriptors than fit": "say('started', *[0] * 40)",
    "the server's handle": "say('started'); say('spawned', os.pidfd_open(os.getppid()), serial=spawned())",
    "the handle of itself": "say('started'); say('spawned', os.pidfd_open(os.getpid()), serial=spawned())",
    "no handle": "say('started'); say('spawned', 0, serial=spawned())",
    "nothing at all with it": "say('started'); say('spawned', serial=spawned())",
    "a cell nobody ordered": "say('started'); say('spawned', 0, serial=spawned() + 1)",
    "the end of a cell nobody ordered": "say('started'); exited(77)",
    "the end of a cell not made yet": "say('started'); exited(spawned())",
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_ends_the_zygote_and_refuses_the_call(cells: Cells, tmp_path: Path, name: str) -> None:
    source = PRELUDE + LIES[name] + "\nthreading.Event().wait()\n"
    with pytest.raises(Refusal, match="broke the rules of the wire"):
        await call(cells, make_tool(tmp_path, source), seconds=10)


async def test_a_zygote_that_makes_no_cells_costs_its_own_callers_their_deadline(
    cells: Cells, tmp_path: Path
) -> None:
    source = PRELUDE + "say('started')\nthreading.Event().wait()\n"
    good = make_tool(tmp_path / "good", "def handler(arguments, cell):\n    return 1", name="good")
    bad = call(cells, make_tool(tmp_path / "bad", source), seconds=1)
    refused, trial = await asyncio.gather(bad, call(cells, good), return_exceptions=True)
    assert isinstance(refused, Refusal)
    assert not isinstance(trial, BaseException)
    assert trial.reply.value == 1


async def test_a_zygote_that_makes_no_cells_is_ended(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "START_SECONDS", 0.5)
    source = PRELUDE + "say('started')\nthreading.Event().wait()\n"
    with pytest.raises(ToolUnavailable, match=r"its cells are not ready after 0\.5 s"):
        await cells.prepare(make_tool(tmp_path, source))


async def test_what_a_zygote_forked_on_the_side_dies_with_it(cells: Cells, tmp_path: Path) -> None:
    source = """
        import os, time
        aside = os.fork()
        if aside == 0:
            for descriptor in range(3, 10):
                try: os.close(descriptor)
                except OSError: pass
            while True: time.sleep(600)
        for leave in (os.setsid, os.setpgrp):
            try: leave()
            except PermissionError: pass
            else: raise AssertionError(leave)
        def handler(arguments, cell):
            return aside
    """
    aside = (await call(cells, make_tool(tmp_path, source))).reply.value
    assert isinstance(aside, int)
    await cells.close()
    await dead(aside)


async def test_a_zygote_cannot_make_the_server_wait(cells: Cells, tmp_path: Path) -> None:
    source = (
        PRELUDE
        + """
say('started')
channels = []
while True:
    message, ancillary, _, _ = control.recvmsg(4096, 64)
    for _, _, data in ancillary:
        for descriptor in array.array("i", data):
            os.set_blocking(descriptor, True)
            channels.append(descriptor)
            try: os.write(descriptor, struct.pack(">I", 100) + b"{")
            except OSError: pass
"""
    )
    good = make_tool(tmp_path / "good", "def handler(arguments, cell):\n    return 1", name="good")
    bad = asyncio.ensure_future(call(cells, make_tool(tmp_path / "bad", source), seconds=1))
    for _ in range(5):
        assert (await call(cells, good)).reply.value == 1
    with pytest.raises(Refusal):
        await bad
