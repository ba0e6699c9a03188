"""kill -9 at any moment loses nothing that was said to be kept, and hides nothing that was cut short."""

import asyncio
import random
import signal
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conformance.store.samples import NOW, StillClock
from toolcell.model.errors import Reason
from toolcell.model.span import Event, Invocation, State
from toolcell.store.interface import Retention
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store

ROOT = Path(__file__).parents[3]
ROUNDS = 6


async def run_and_kill(directory: Path, lines: int) -> list[list[str]]:
    """Runs the victim, kills it once it has said so many lines, and returns everything it said."""
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.conformance.store.victim",
        str(directory),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    said = [await victim.stdout.readline() for _ in range(lines)]
    victim.send_signal(signal.SIGKILL)
    said += (await victim.stdout.read()).splitlines(keepends=True)
    assert await victim.wait() == -signal.SIGKILL
    return [line.decode().split() for line in said if line.endswith(b"\n")]


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_kept_is_there_after_kills_at_random_moments(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)  # noqa: S311 - not a secret
    directory = tmp_path / "state"
    said: list[list[str]] = []
    for _ in range(ROUNDS):
        said += await run_and_kill(directory, moments.choice([1, 2, 5, 40, 300, 1500]))
    store = await open_store(directory, clock=StillClock(NOW + 99), retention=Retention(age_seconds=1e9))
    try:
        await check_tokens(store, said)
        await check_invocations(store, said)
    finally:
        await store.close()
    with sqlite3.connect(directory / "toolcell.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def check_tokens(store: Store, said: Iterable[list[str]]) -> None:
    kept = {each.token_id for each in await store.tokens.load()}
    assert {words[1] for words in said if words[0] == "token"} <= kept


async def check_invocations(store: Store, said: Iterable[list[str]]) -> None:
    begun = {words[1]: words[2] for words in said if words[0] == "begin"}
    ended = {words[1] for words in said if words[0] == "end"}
    events: dict[str, list[str]] = defaultdict(list)
    for words in said:
        if words[0] == "event":
            events[words[1]].append(words[2])
    numbers: list[int] = []
    for invocation_id, safety in begun.items():
        found = await store.traces.get(invocation_id)
        assert found is not None, invocation_id
        record, kept = found
        numbers += [number for number, _ in kept]
        texts = text_of(kept)
        assert texts[: len(events[invocation_id])] == events[invocation_id]
        if invocation_id in ended:
            assert (record.state, record.output_json) == (State.SUCCEEDED, '{"found":1}')
            assert texts == ["first", "second"]
        elif record.state is not State.SUCCEEDED:  # it may have ended without a chance to say so
            check_interrupted(record, safety)
    assert len(ended) > 0
    assert len(numbers) == len(set(numbers))


def text_of(events: Iterable[tuple[int, Event]]) -> list[str]:
    return [event.body["message"] for _, event in sorted(events, key=lambda each: each[0])]


def check_interrupted(record: Invocation, safety: str) -> None:
    assert record.state is State.FAILED
    assert record.interrupted
    assert record.end_time >= record.create_time
    assert record.failure is not None
    assert record.failure.reason is (Reason.NODE_LOST if safety == "SAFE" else Reason.OUTCOME_UNKNOWN)
    assert record.failure.message.startswith("search_customer was interrupted")
    assert record.input_json == '{"query":"ada@example.com"}'


async def test_a_kill_is_counted_at_the_next_start(tmp_path: Path) -> None:
    said = await run_and_kill(tmp_path, 100)
    open_calls = {words[1] for words in said if words[0] == "begin"} - {
        words[1] for words in said if words[0] == "end"
    }
    store = await open_store(tmp_path, clock=StillClock(), retention=Retention(age_seconds=1e9))
    interrupted = store.interrupted
    await store.close()
    assert abs(interrupted - len(open_calls)) <= 1  # the one the kill fell into
    again = await open_store(tmp_path, clock=StillClock(), retention=Retention(age_seconds=1e9))
    assert again.interrupted == 0
    await again.close()
