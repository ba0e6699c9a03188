"""Events of a real server to many readers, good and bad ones, and across its death."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.system.dev_server import PROGRAMS, Server, environment
from tests.system.speaking import Channel, memory, speak, write_workspace
from toolcell.v1.trace_service_pb2 import GetInvocationRequest

GOOD, STOPPED, SLOW = 180, 10, 10
CALLS, LINES, LENGTH = 120, 6, 1000
EVENTS = CALLS * (LINES + 2)
MEMORY = (64 << 10) * (GOOD + STOPPED + SLOW) + (32 << 20)
"""64 KiB for each stream, and the events that are kept for all of them."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "workspace")


async def read(stream: Any, count: int) -> list[int]:
    """Reads until so many events have come; returns their numbers."""
    seen: list[int] = []
    while len(seen) < count:
        message = await stream.read()
        assert message is not grpc.aio.EOF
        assert not message.HasField("gap")
        seen += [event.sequence for event in message.events]
    return seen


async def call(channel: Channel, count: int) -> None:
    for _ in range(count):
        answer = await channel.tools.Invoke(speak(LINES, LENGTH), metadata=channel.metadata)
        assert answer.WhichOneof("outcome") == "output_json", answer


@pytest.mark.timeout(180)
async def test_two_hundred_readers_of_whom_twenty_misbehave(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        channels = [Channel(server) for _ in range(20)]
        caller = Channel(server)
        await call(caller, 20)  # what the server needs for calls alone
        before = memory(server)
        groups = [[await channel.follow() for _ in range(10)] for channel in channels]
        # Each connection has one that never reads and one that reads a message now and then.
        stopped = [group.pop() for group in groups[:STOPPED]]
        slow = [group.pop() for group in groups[STOPPED:]]
        good = [asyncio.ensure_future(read(stream, EVENTS)) for group in groups for stream in group]
        assert (len(stopped), len(slow), len(good)) == (STOPPED, SLOW, GOOD)
        for _ in range(10):
            await asyncio.gather(*(call(caller, CALLS // 40) for _ in range(4)))
            for stream in slow:
                await stream.read()
        seen = await asyncio.gather(*good)
        assert memory(server) - before < MEMORY
        wanted = seen[0]
        assert wanted == sorted(set(wanted))
        assert all(each == wanted for each in seen)
        for stream in stopped:  # it has missed nothing
            assert await read(stream, EVENTS) == wanted
        replay = [event.sequence for message in await caller.replay() for event in message.events]
        assert replay[-EVENTS:] == wanted
        for channel in (*channels, caller):
            await channel.channel.close()


@pytest.mark.timeout(120)
async def test_a_stream_resumes_after_kill_9_without_gap_or_duplicate(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        channel = Channel(server)
        stream = await channel.follow()
        background = asyncio.ensure_future(flood(channel))
        seen: list[Any] = []
        cursor = ""
        while len(seen) < 100:
            message = await stream.read()
            seen += message.events
            cursor = message.cursor
        server.stop(signal.SIGKILL)
        await background
        while True:
            try:
                message = await stream.read()
            except grpc.aio.AioRpcError:
                break
            seen += message.events
            cursor = message.cursor
        await channel.channel.close()
    with Server.dev(workspace) as server:
        channel = Channel(server)
        await call(channel, 2)
        later = [event for message in await channel.replay(cursor) for event in message.events]
        everything = [event for message in await channel.replay() for event in message.events]
        assert seen + later == everything[-len(seen + later) :]
        assert len({event.sequence for event in everything}) == len(everything)
        states = {event.invocation_id: event.body for event in everything if event.kind == "ended"}
        assert set(states) == {event.invocation_id for event in everything}
        interrupted = [key for key, body in states.items() if "interrupted" in body]
        assert interrupted
        for key in interrupted:
            request = GetInvocationRequest(invocation_id=key)
            answer = await channel.traces.GetInvocation(request, metadata=channel.metadata)
            assert answer.invocation.interrupted
        await channel.channel.close()


async def flood(channel: Channel) -> None:
    """Calls until the server is gone, always with some that take long."""

    async def one(seconds: float) -> None:
        while True:
            try:
                await channel.tools.Invoke(speak(3, 20, seconds), metadata=channel.metadata)
            except grpc.aio.AioRpcError:
                return

    await asyncio.gather(*(one(seconds) for seconds in (0, 0, 0, 20)))


async def until_gone(channel: Channel, invocation_id: str) -> None:
    """Asks for a record until retention has taken it; the test's time limit bounds it."""
    request = GetInvocationRequest(invocation_id=invocation_id)
    while True:
        try:
            await channel.traces.GetInvocation(request, metadata=channel.metadata)
        except grpc.aio.AioRpcError as refused:
            if refused.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return


@pytest.mark.timeout(120)
async def test_what_retention_removed_is_a_gap(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        channel = Channel(server)
        await call(channel, 3)
        (first, *_) = [message for message in await channel.replay() if message.events]
        await channel.channel.close()
    with Server.dev(workspace, TOOLCELL_RETENTION_AGE="1ms") as server:
        channel = Channel(server)
        await until_gone(channel, first.events[0].invocation_id)
        await call(channel, 1)
        messages = await channel.replay(first.events[0].cursor)
        (gap,) = [message.gap for message in messages if message.HasField("gap")]
        assert gap.from_sequence == first.events[0].sequence + 1
        events = [event for message in messages for event in message.events]
        assert [event.kind for event in events] == ["started", *["stdout"] * LINES, "ended"]
        assert gap.to_sequence < events[0].sequence
        await channel.channel.close()


# ── the command line ────────────────────────────────────────────────────────────────────────────────────────


class Tail:
    """A `toolcell tail` off a terminal."""

    def __init__(self, server: Server, *words: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAMS / "toolcell", "tail", *words],
            cwd=server.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def events(self, count: int) -> list[Any]:
        """Reads so many lines."""
        assert self.process.stdout is not None
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]

    def said(self) -> str:
        """Reads a line of stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return self.process.returncode


def test_tail_goes_on_where_it_was_when_the_server_comes_back(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        server.output("call", "speak", "-a", "lines=1", "--label", "a=b")
        tail = Tail(server, "--from", "0")
        assert [event["kind"] for event in tail.events(3)] == ["started", "stdout", "ended"]
        server.stop(signal.SIGKILL)
    assert "the server went away; waiting to resume after " in tail.said()
    with Server.dev(workspace) as server:
        server.output("call", "speak", "-a", "lines=1")
        assert tail.said() == "the server is back: resumed\n"
        assert [event["kind"] for event in tail.events(3)] == ["started", "stdout", "ended"]
        server.stop()
        assert "the server went away" in tail.said()
        assert tail.stop() == 130


def test_tail_is_coloured_on_a_terminal_and_tells_one_line_an_event(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        server.output("call", "speak", "-a", "lines=1", "-a", "length=3")
        assert server.toolcell("call", "speak", '{"lines": "x"}').returncode == 3
        leader, follower = pty.openpty()
        kept = {name: value for name, value in environment().items() if name != "NO_COLOR"}
        tail = subprocess.Popen(
            [PROGRAMS / "toolcell", "tail", "--from", "0"], cwd=server.folder, env=kept, stdout=follower
        )
        shown = ""
        while shown.count("\n") < 4:
            shown += os.read(leader, 65536).decode()
        tail.send_signal(signal.SIGINT)
        assert tail.wait() == 130
        os.close(leader)
        os.close(follower)
    assert "\x1b[32mended    \x1b[0m" in shown
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in shown.splitlines()]
    assert [line.split()[3] for line in lines] == ["started", "stdout", "ended", "ended"]
    assert lines[1].endswith("0 xxx")
    assert re.search(r"SUCCEEDED after [\d.]+ .?s$", lines[2])
    assert "FAILED after" in lines[3]
    assert "INPUT_INVALID: Arguments rejected: lines: " in lines[3]


def test_tail_chooses(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        server.output("call", "speak", "--label", "a=b")
        server.output("call", "speak", "--label", "a=c")
        assert server.toolcell("call", "speak", '{"lines": "x"}').returncode == 3
        labelled, failed = (
            Tail(server, "--from", "0", "--label", "a=c"),
            Tail(server, "--from", "0", "--failed"),
        )
        (started, ended) = labelled.events(2)
        assert started["invocation_id"] == ended["invocation_id"]
        (refused,) = failed.events(1)
        assert refused["body"]["reason"] == "INPUT_INVALID"
        assert labelled.stop() == failed.stop() == 130


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [(("--from", "x"), 3, "CURSOR_INVALID"), (("--caller", "\n"), 3, "REQUEST_INVALID")],
)
def test_tail_says_what_is_wrong(workspace: Path, words: tuple[str, ...], code: int, reason: str) -> None:
    with Server.dev(workspace) as server:
        done = server.toolcell("tail", *words)
        assert done.returncode == code
        assert f"({reason})" in done.stderr
        assert "hint:" in done.stderr


def test_a_running_call_is_followed_to_its_end(workspace: Path) -> None:
    with Server.dev(workspace) as server:
        tail = Tail(server, "--from", "0")
        caller = subprocess.Popen(
            [PROGRAMS / "toolcell", "call", "speak", '{"lines": 2, "seconds": 1}'],
            cwd=server.folder,
            env=environment(),
            stdout=subprocess.PIPE,
        )
        started = tail.events(1)[0]
        story = server.output("trace", started["invocation_id"], "--follow").splitlines()
        assert [line.split()[2] for line in story[:4]] == ["started", "stdout", "stdout", "ended"]
        assert "SUCCEEDED after" in story[3]
        assert story[4] == started["invocation_id"]
        events = server.output("trace", started["invocation_id"], "--follow", "--json").splitlines()
        assert [json.loads(line)["kind"] for line in events] == ["started", "stdout", "stdout", "ended"]
        caller.communicate()
        assert tail.stop() == 130
