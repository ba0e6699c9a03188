"""What the record says of a call that was cancelled, with a real store."""

import asyncio
from pathlib import Path

import pytest

from toolcell.model.call import Call, Outcome, Question
from toolcell.model.clock import SystemClock
from toolcell.model.errors import Executed, Reason
from toolcell.model.span import Invocation, State
from toolcell.pipeline.trace import Trace
from toolcell.store.interface import Retention
from toolcell.store.sqlite import open_store


@pytest.mark.parametrize(
    ("state", "executed"), [(State.PENDING, Executed.NO), (State.RUNNING, Executed.MAYBE)]
)
async def test_a_call_that_still_waited_did_not_run(tmp_path: Path, state: State, executed: Executed) -> None:
    clock = SystemClock()
    store = await open_store(tmp_path, clock=clock, retention=Retention())
    seen: list[Invocation] = []
    waiting = asyncio.Event()

    async def proceed(call: Call) -> Outcome:
        call.record.caller, call.record.tool, call.record.state = "ada", "echo", state
        store.traces.begin(call.record, retry_safe=False)
        call.is_begun = True
        waiting.set()
        await asyncio.Event().wait()
        return Outcome()

    call = Call(authorization="", traceparent="", deadline=None, read=lambda: Question("echo"))
    task = asyncio.create_task(Trace(store.traces, clock, seen.append, print)(call, proceed))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await store.traces.get(call.record.invocation_id)
    await store.close()
    assert found is not None
    assert found[0].state is State.CANCELLED
    assert found[0].failure is not None
    assert (found[0].failure.reason, found[0].failure.executed) == (Reason.CANCELLED, executed)
    assert [record.invocation_id for record in seen] == [call.record.invocation_id]
