"""One call in one cell: what a handler gets, gives and says."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.unit.cells.toolmaker import call, make_tool
from toolcell.cells.pool import Cells
from toolcell.model.errors import Reason
from toolcell.model.span import EventKind


async def test_a_handler_gets_arguments_and_its_answer_comes_back(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, "def handler(arguments, cell):\n    return {'sum': sum(arguments['of'])}")
    trial = await call(cells, tool, {"of": [1, 2, 3.5]})
    assert trial.reply.value == {"sum": 6.5}
    assert trial.reply.fault is None
    assert trial.events == []


async def test_usage_is_what_the_kernel_counted(cells: Cells, tmp_path: Path) -> None:
    source = """
        import resource
        def handler(arguments, cell):
            text = "x" * arguments["bytes"]
            while sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) < arguments["cpu"]:
                sum(range(10_000))
            return len(text)
    """
    tool = make_tool(tmp_path, source, memory_bytes=256 << 20)
    small = (await call(cells, tool, {"bytes": 0, "cpu": 0})).reply.usage
    large = (await call(cells, tool, {"bytes": 64 << 20, "cpu": 0.2})).reply.usage
    assert large.cpu_microseconds >= 200_000
    assert large.memory_peak_bytes - small.memory_peak_bytes > 60 << 20


async def test_the_cell_object_tells_the_call(cells: Cells, tmp_path: Path) -> None:
    source = """
        def handler(arguments, cell):
            return [cell.invocation_id, cell.tool_call_id, cell.attempt, cell.deadline]
    """
    value = (await call(cells, make_tool(tmp_path, source), seconds=9)).reply.value
    assert isinstance(value, list)
    assert value[:3] == ["inv_test", "call_test", 1]
    assert 0 < value[3] <= 9


async def test_prints_logs_and_progress_become_events_in_their_order(cells: Cells, tmp_path: Path) -> None:
    source = """
        import os, sys
        def handler(arguments, cell):
            cell.log("started", level="debug", part=1)
            cell.progress(0.5, "half")
            print("one\\ntwo")
            os.write(2, b"native \\xff, no newline")
            return None
    """
    trial = await call(cells, make_tool(tmp_path, source))
    assert trial.of(EventKind.LOG) == [{"level": "debug", "message": "started", "fields": {"part": 1}}]
    assert trial.of(EventKind.PROGRESS) == [{"fraction": 0.5, "message": "half"}]
    assert trial.printed == ["one", "two"]
    assert trial.of(EventKind.STDERR) == [{"text": "native \N{REPLACEMENT CHARACTER}, no newline"}]


async def test_what_is_printed_before_a_crash_is_kept(cells: Cells, tmp_path: Path) -> None:
    source = "import os\ndef handler(arguments, cell):\n    print('last words')\n    os._exit(3)"
    assert (await call(cells, make_tool(tmp_path, source))).printed == ["last words"]


async def test_a_flood_of_prints_and_logs_is_cut_and_counted_once(cells: Cells, tmp_path: Path) -> None:
    source = """
        def handler(arguments, cell):
            for number in range(3000):
                cell.log(str(number))
                print(number)
            return "done"
    """
    trial = await call(cells, make_tool(tmp_path, source))
    assert trial.reply.value == "done"
    assert len(trial.events) == 1001
    assert trial.events[-1] == (EventKind.TRUNCATED, {"dropped": 5000})


async def test_half_a_surrogate_pair_is_replaced_wherever_it_is_said(cells: Cells, tmp_path: Path) -> None:
    source = """
        def handler(arguments, cell):
            half = 'a\\ud800b'
            cell.log(half, level=half, **{half: [half, {half: half}]})
            cell.progress(1, half)
            print(half)
            raise cell.ToolError(half, details={half: half})
    """
    trial = await call(cells, make_tool(tmp_path, source))
    assert trial.of(EventKind.LOG) == [
        {"level": "a?b", "message": "a?b", "fields": {"a?b": ["a?b", {"a?b": "a?b"}]}}
    ]
    assert trial.of(EventKind.PROGRESS) == [{"fraction": 1.0, "message": "a?b"}]
    assert trial.printed == ["a\\ud800b"]
    assert (trial.fault.reason, trial.fault.told) == (Reason.TOOL_ERROR, "a?b")
    assert trial.fault.failure().details == {"a?b": "a?b"}


async def test_fields_that_are_not_json_become_text(cells: Cells, tmp_path: Path) -> None:
    source = """
        class Secretive:
            def __str__(self):
                raise RuntimeError
        def handler(arguments, cell):
            deep = loop = []
            for _ in range(200):
                deep = [deep]
            loop = [loop]
            loop.append(loop)
            cell.log("odd", set={1}, bytes=b"x", nan=float("nan"), keys={(1, 2): 3}, nested=[{"a": {1}}])
            cell.log("odd", deep=deep, loop=loop, secretive=Secretive(), ordinary=[1.5, None, {"a": []}])
            cell.log(Secretive())
            return 1
    """
    trial = await call(cells, make_tool(tmp_path, source))
    assert trial.reply.value == 1
    first, second, third = trial.of(EventKind.LOG)
    assert first["fields"] == {
        "set": "{1}", "bytes": "b'x'", "nan": "nan", "keys": "{(1, 2): 3}", "nested": [{"a": "{1}"}]
    }  # fmt: skip
    assert second["fields"] == {
        "deep": "[" * 201 + "]" * 201,
        "loop": "[[], [...]]",
        "secretive": "<Secretive>",
        "ordinary": [1.5, None, {"a": []}],
    }
    assert third["message"] == "<Secretive>"


async def test_what_is_said_at_length_is_cut(cells: Cells, tmp_path: Path) -> None:
    source = """
        def handler(arguments, cell):
            long = arguments["text"] * 3_000_000
            cell.log(long, level=long)
            cell.progress(0, long)
            cell.log("fields", first=1, text=long, last=2)
            cell.log("fields", first=1, list=[long], last=2)
            cell.log("fields", **{long: 1})
            return 1
    """
    tool = make_tool(tmp_path, source, output_limit_bytes=1024)
    for text in ("x", "\N{PARTY POPPER}", "\0", '"'):
        trial = await call(cells, tool, {"text": text})
        assert trial.reply.value == 1
        messages = [body["message"] for body in (*trial.of(EventKind.LOG), *trial.of(EventKind.PROGRESS))]
        assert messages == [text * 8192, *["fields"] * 3, text * 8192]
        _, string, listed, named = (body["fields"] for body in trial.of(EventKind.LOG))
        for fields in (string, listed):
            assert fields["first"] == 1
            assert 8000 < len(json.dumps(fields, ensure_ascii=False).encode()) <= 8192
        assert named == {text * 200: 1}


async def test_an_error_that_is_all_control_characters_is_told(cells: Cells, tmp_path: Path) -> None:
    source = "def handler(arguments, cell):\n    raise ValueError('\\0' * 100_000)"
    trial = await call(cells, make_tool(tmp_path, source, output_limit_bytes=1024))
    assert trial.fault.reason is Reason.HANDLER_CRASHED
    assert trial.of(EventKind.EXCEPTION)[0]["message"] == "\0" * 8192


async def test_coroutines_work(cells: Cells, tmp_path: Path) -> None:
    source = """
        import asyncio
        async def handler(arguments, cell):
            first, second = await asyncio.gather(asyncio.to_thread(sum, [1, 2]), asyncio.sleep(0, 4))
            return first + second
    """
    assert (await call(cells, make_tool(tmp_path, source))).reply.value == 7


async def test_threads_work(cells: Cells, tmp_path: Path) -> None:
    source = """
        from concurrent.futures import ThreadPoolExecutor
        def handler(arguments, cell):
            with ThreadPoolExecutor(4) as pool:
                return list(pool.map(lambda n: n * n, range(5)))
    """
    assert (await call(cells, make_tool(tmp_path, source))).reply.value == [0, 1, 4, 9, 16]


async def test_modules_packages_and_declared_data_are_readable_and_nothing_else(
    cells: Cells, tmp_path: Path
) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "__init__.py").write_text("NAME = 'part'")
    (tmp_path / "side.py").write_text("NAME = 'side'")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.txt").write_text("rows")
    (tmp_path / "cell.toml").write_text("[secrets]")
    source = """
        import part, side
        def handler(arguments, cell):
            here = __file__.rpartition("/")[0]
            try:
                open(here + "/cell.toml")
            except PermissionError:
                return [part.NAME, side.NAME, open(here + "/data/rows.txt").read()]
    """
    tool = make_tool(tmp_path, source, read=("data/",))
    assert (await call(cells, tool)).reply.value == ["part", "side", "rows"]


async def test_the_environment_is_the_policy_s_alone(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCELL_TEST_SECRET", "s3cret")
    source = "import os\ndef handler(arguments, cell):\n    return sorted(os.environ.items())"
    tool = make_tool(tmp_path, source, env={"REGION": "north"})
    value = (await call(cells, tool)).reply.value
    assert isinstance(value, list)
    names = {name for name, _ in value}
    assert ["REGION", "north"] in value
    assert names - {"REGION", "PATH", "LANG", "LC_CTYPE"} == {
        name for name in names if name.endswith("_NUM_THREADS")
    }


async def test_no_state_is_left_for_the_next_call(cells: Cells, tmp_path: Path) -> None:
    source = "seen = []\ndef handler(arguments, cell):\n    seen.append(1)\n    return len(seen)"
    tool = make_tool(tmp_path, source)
    assert [(await call(cells, tool)).reply.value for _ in range(3)] == [1, 1, 1]


async def test_calls_run_side_by_side(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, "def handler(arguments, cell):\n    return arguments['n']")
    trials = await asyncio.gather(*(call(cells, tool, {"n": n}) for n in range(40)))
    assert [trial.reply.value for trial in trials] == list(range(40))


async def test_large_arguments_and_answers_pass(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(
        tmp_path, "def handler(arguments, cell):\n    return arguments", output_limit_bytes=8 << 20
    )
    text = "é" * (2 << 20)
    reply = (await call(cells, tool, {"text": text})).reply
    assert reply.value == {"text": text}
    assert 4 << 20 < reply.size < (4 << 20) + 100


async def test_a_fault_has_no_size(cells: Cells, tmp_path: Path) -> None:
    tool = make_tool(tmp_path, "def handler(arguments, cell):\n    raise ValueError('x' * 5000)")
    assert (await call(cells, tool)).reply.size == 0


async def test_a_handler_imported_after_the_fork_runs(cells: Cells, tmp_path: Path) -> None:
    source = "import os\nBORN = os.getpid()\ndef handler(arguments, cell):\n    return BORN == os.getpid()"
    assert (await call(cells, make_tool(tmp_path, source, preload=False))).reply.value is True


async def test_a_handler_that_starts_threads_when_imported_is_imported_after_the_fork(
    cells: Cells, tmp_path: Path
) -> None:
    source = """
        import os, threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        BORN = os.getpid()
        def handler(arguments, cell):
            return BORN == os.getpid()
    """
    assert (await call(cells, make_tool(tmp_path, source))).reply.value is True


async def test_what_is_printed_while_a_cell_imports_is_its_call_s(cells: Cells, tmp_path: Path) -> None:
    source = "print('importing')\ndef handler(arguments, cell):\n    print('called')"
    assert (await call(cells, make_tool(tmp_path, source, preload=False))).printed == ["importing", "called"]
