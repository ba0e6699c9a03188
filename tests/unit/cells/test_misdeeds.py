"""What a handler can do wrong, and the fault and the events that come of it."""

from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import Trial, call, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.errors import Executed, Reason
from toolcell.model.span import EventKind
from toolcell.model.tool import Idempotency

MISDEEDS = {
    "raises": ("raise ValueError('no')", Reason.HANDLER_CRASHED, {}),
    "exits politely": ("raise SystemExit(4)", Reason.HANDLER_CRASHED, {}),
    "exits at once": ("os._exit(3)", Reason.HANDLER_CRASHED, {"exit": "3"}),
    "dies by a signal": ("ctypes.string_at(0)", Reason.HANDLER_CRASHED, {"signal": "SIGSEGV"}),
    "aborts": ("os.abort()", Reason.HANDLER_CRASHED, {"signal": "SIGABRT"}),
    "runs out of memory": ("bytearray(1 << 30)", Reason.HANDLER_OOM, {"limit": "268435456"}),
    "spins": ("while True: pass", Reason.HANDLER_CPU_EXCEEDED, {"limit": "1"}),
    "spins deafly": (
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True: pass",
        Reason.HANDLER_CPU_EXCEEDED,
        {"limit": "1"},
    ),
    "answers with what JSON lacks": ("return {1, 2}", Reason.OUTPUT_INVALID, {}),
    "answers with no number": ("return float('nan')", Reason.OUTPUT_INVALID, {}),
    "answers with half a surrogate pair": ("return '\\ud800'", Reason.OUTPUT_INVALID, {}),
    "answers in a circle": ("a = []; a.append(a); return a", Reason.OUTPUT_INVALID, {}),
    "answers too long": ("return 'x' * 5000", Reason.OUTPUT_TOO_LARGE, {"limit": "4096"}),
    "answers too deep": (
        "a = []\n    for _ in range(200): a = [a]\n    return a",
        Reason.HANDLER_PROTOCOL_ERROR,
        {},
    ),
    "closes its channel": ("os.close(3)", Reason.HANDLER_CRASHED, {}),
    "closes its channel and lingers": (
        "os.close(3); time.sleep(600)",
        Reason.HANDLER_CRASHED,
        {"signal": "SIGKILL"},
    ),
    "breaks its own stack": ("f = lambda n: f(n + 1); f(0)", Reason.HANDLER_CRASHED, {}),
}


@pytest.mark.parametrize("name", MISDEEDS)
async def test_a_misdeed_is_a_fault_of_its_call_alone(cells: Cells, tmp_path: Path, name: str) -> None:
    body, reason, metadata = MISDEEDS[name]
    source = f"""
import ctypes, os, time
def handler(arguments, cell):
    if arguments: return 'well'
    {body}
"""
    tool = make_tool(tmp_path, source, cpu_seconds=1, output_limit_bytes=4096)
    trial = await call(cells, tool)
    assert trial.fault.reason is reason
    assert trial.fault.metadata.items() >= {"tool": "probe", **metadata}.items()
    assert trial.fault.executed is Executed.MAYBE
    if reason is not Reason.HANDLER_CPU_EXCEEDED:
        assert trial.of(EventKind.EXCEPTION)
    assert (await call(cells, tool, {"again": True})).reply.value == "well"


async def test_an_exception_s_message_is_in_the_trace_and_not_told(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, "def handler(arguments, cell):\n    raise KeyError('private')")
    trial = await call(cells, tool)
    assert "private" not in trial.fault.told
    (exception,) = trial.of(EventKind.EXCEPTION)
    assert exception["type"] == "KeyError"
    assert exception["message"] == "'private'"
    assert 'handler.py", line 2, in handler' in exception["stack"]
    assert "program.py" not in exception["stack"]


async def test_an_exception_that_cannot_be_described_is_still_a_crash(cells: Cells, tmp_path: Path) -> None:
    source = """
        class Sly(Exception):
            def __str__(self): raise RuntimeError
        def handler(arguments, cell):
            raise Sly
    """
    trial = await call(cells, make_tool(tmp_path, source))
    assert trial.fault.reason is Reason.HANDLER_CRASHED
    assert trial.of(EventKind.EXCEPTION)[0]["type"] == "Sly"


async def declared(cells: Cells, directory: Path, idempotency: Idempotency, options: str) -> Trial:
    source = f"""
        from toolcell import ToolError
        def handler(arguments, cell):
            assert cell.ToolError is ToolError
            raise ToolError("There is no order 7.", {options})
    """
    return await call(cells, make_tool(directory, source, idempotency=idempotency))


async def test_a_declared_error_speaks_to_the_model(cells: Cells, tmp_path: Path) -> None:
    options = "code='ORDER_UNKNOWN', details={'order': 7}"
    fault = (await declared(cells, tmp_path, Idempotency.UNSET, options)).fault
    assert fault.reason is Reason.TOOL_ERROR
    assert fault.told == "There is no order 7."
    assert fault.failure().details == {"code": "ORDER_UNKNOWN", "order": 7}
    assert fault.executed is Executed.YES
    assert not fault.retryable


async def test_nothing_happened_is_believed_of_a_retry_safe_tool(cells: Cells, tmp_path: Path) -> None:
    fault = (await declared(cells, tmp_path, Idempotency.IDEMPOTENT, "retryable=True")).fault
    assert fault.reason is Reason.TOOL_TRANSIENT
    assert fault.executed is Executed.NO
    assert fault.retryable


async def test_nothing_happened_is_not_believed_of_another(cells: Cells, tmp_path: Path) -> None:
    fault = (await declared(cells, tmp_path, Idempotency.UNSET, "retryable=True")).fault
    assert fault.reason is Reason.TOOL_ERROR
    assert fault.executed is Executed.MAYBE
    assert not fault.retryable


@pytest.mark.parametrize(
    "options", ["code='lower'", "details={'n': float('nan')}", "details={'n': 'x' * 20_000}"]
)
async def test_a_declared_error_that_is_not_one_is_a_crash(
    cells: Cells, tmp_path: Path, options: str
) -> None:
    trial = await declared(cells, tmp_path, Idempotency.UNSET, options)
    assert trial.fault.reason is Reason.HANDLER_CRASHED
    assert trial.of(EventKind.EXCEPTION)[0]["type"] == "ValueError"


async def test_a_handler_is_killed_at_its_deadline(cells: Cells, tmp_path: Path) -> None:
    source = """
        import signal, time
        def handler(arguments, cell):
            for number in range(1, 32):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            print("asleep")
            while True: time.sleep(600)
    """
    tool = make_tool(tmp_path, source, timeout_seconds=0.5)
    await cells.prepare(tool)
    trial = await call(cells, tool, seconds=0.5)
    assert trial.fault.reason is Reason.HANDLER_TIMEOUT
    assert trial.fault.metadata["timeout"] == "0.5"
    assert trial.printed == ["asleep"]


async def test_an_oversized_stack_is_cut(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, "def handler(arguments, cell):\n    raise ValueError('x' * 1_000_000)")
    (exception,) = (await call(cells, tool)).of(EventKind.EXCEPTION)
    assert len(exception["message"]) == 8 * 1024
    assert len(exception["stack"]) <= 16 * 1024
