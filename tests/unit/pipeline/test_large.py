"""Large arguments and answers are exchanged in a thread, and nothing else is different."""

import json
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.workspace import proto, workspace
from toolcell.cells.pool import Cells
from toolcell.contracts.catalog import Entry
from toolcell.contracts.contract import Contract
from toolcell.model.call import Call, Outcome, Question
from toolcell.model.clock import SystemClock
from toolcell.model.errors import InputInvalid, Reason
from toolcell.model.ids import new_id
from toolcell.model.span import EventKind, Invocation
from toolcell.pipeline.contract import INLINE, Validate
from toolcell.pipeline.execute import Execute
from toolcell.store.interface import Retention
from toolcell.store.lifecycle import Store
from toolcell.store.sqlite import open_store

HANDLER = """
def handler(arguments, cell):
    cell.log("before")
    print("printed")
    match arguments["query"].partition(" "):
        case "wrong", _, length:
            return {"text": 7, "query": "x" * int(length)}
        case letter, _, length:
            return {"text": letter * int(length)}
"""
LARGE = 2 * INLINE


@pytest.fixture
async def entry(tmp_path: Path) -> Entry:
    made = proto("large.v1", "Grow", more="").replace("string text = 1;", "string text = 1; int32 count = 2;")
    limit = "output = '256KiB'\n"
    files = {"protos/a.proto": made, "handlers/grow/handler.py": HANDLER, "handlers/grow/cell.toml": limit}
    catalog = workspace(tmp_path, files)
    await catalog.load()
    assert catalog.snapshot.problems == ()
    return catalog.snapshot.entries["grow"]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await open_store(tmp_path / "state", clock=SystemClock(), retention=Retention())
    yield made
    await made.close()


@pytest.fixture
async def execute(store: Store) -> AsyncIterator[Execute]:
    cells = Cells(clock=SystemClock(), level=2)
    yield Execute(cells, store.traces, SystemClock())
    await cells.close()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Notes for each exchange whether it was done in the loop's thread."""
    here, seen = threading.get_ident(), list[bool]()

    def watch(name: str) -> None:
        exchange = getattr(Contract, name)

        def watched(contract: Contract, value: Any) -> Any:
            seen.append(threading.get_ident() == here)
            return exchange(contract, value)

        monkeypatch.setattr(Contract, name, watched)

    for name in ("decode", "decode_wire", "encode"):
        watch(name)
    return seen


def ask(entry: Entry, question: Question) -> Call:
    call = Call(authorization="", traceparent="", deadline=None, read=lambda: question)
    call.question, call.tool, call.contract = question, entry.tool, entry.contract
    call.record = Invocation(new_id("inv"), "0" * 32, "0" * 16, tool="grow", caller="ada")
    return call


async def done(_: Call) -> Outcome:
    return Outcome("done")


@pytest.mark.parametrize("length", [10, LARGE])
async def test_arguments_of_any_size_are_decoded_alike(
    entry: Entry, threads: list[bool], length: int
) -> None:
    text = "é" * length
    from_text = ask(entry, Question("grow", json.dumps({"query": text}, ensure_ascii=False)))
    body = text.encode()
    wire = b"\x0a" + varint(len(body)) + body
    from_wire = ask(entry, Question("grow", arguments_wire=wire))
    for call in (from_text, from_wire):
        assert await Validate()(call, done) == Outcome("done")
        assert json.loads(call.arguments_json) == {"query": text}
        assert call.record.input_json == call.arguments_json
    assert threads == [length < INLINE] * 2


def varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head, number = head + bytes([number & 127 | 128]), number >> 7
    return head + bytes([number])


@pytest.mark.parametrize("length", [10, LARGE])
async def test_wrong_arguments_of_any_size_are_refused_alike(
    entry: Entry, threads: list[bool], length: int
) -> None:
    call = ask(entry, Question("grow", json.dumps({"query": 7, "what": "x" * length})))
    with pytest.raises(InputInvalid) as caught:
        await Validate()(call, done)
    assert sorted(violation.field for violation in caught.value.violations) == ["query", "what"]
    assert threads == [length < INLINE]


async def run(execute: Execute, store: Store, entry: Entry, query: str) -> tuple[Outcome, list[Any]]:
    call = ask(entry, Question("grow"))
    call.arguments_json = json.dumps({"query": query})
    store.traces.begin(call.record, retry_safe=False)
    outcome = await execute(call, done)
    store.traces.end(call.record)
    found = await store.traces.get(call.record.invocation_id)
    assert found is not None
    return outcome, [event for _, event in found[1]]


@pytest.mark.parametrize("length", [10, LARGE])
async def test_answers_of_any_size_are_encoded_alike(
    execute: Execute, store: Store, entry: Entry, threads: list[bool], length: int
) -> None:
    outcome, events = await run(execute, store, entry, f"y {length}")
    assert json.loads(outcome.output_json) == {"text": "y" * length, "count": 0}
    assert [event.kind for event in events] == [EventKind.LOG, EventKind.STDOUT]
    assert threads == [length < INLINE]


@pytest.mark.parametrize("length", [10, LARGE])
async def test_wrong_answers_of_any_size_fail_alike_and_tell_it_last(
    execute: Execute, store: Store, entry: Entry, threads: list[bool], length: int
) -> None:
    outcome, events = await run(execute, store, entry, f"wrong {length}")
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.OUTPUT_INVALID
    assert [event.kind for event in events] == [EventKind.LOG, EventKind.STDOUT, EventKind.EXCEPTION]
    told: Mapping[str, Any] = events[-1].body
    assert sorted(violation["field"] for violation in told["violations"]) == ["query", "text"]
    assert threads == [length < INLINE]


async def test_an_answer_is_measured_in_bytes(execute: Execute, store: Store, entry: Entry) -> None:
    room = entry.tool.output_limit_bytes - len('{"text":""}')
    outcome, _ = await run(execute, store, entry, f"é {room // 2}")  # fits, until its zeros are printed
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.OUTPUT_TOO_LARGE
    outcome, _ = await run(execute, store, entry, f"é {room // 2 - 10}")
    assert outcome.failure is None
