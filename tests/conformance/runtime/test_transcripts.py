"""Every runtime holds the recorded conversations: what the server sends, what must come back."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.runtime.launch import Said, launched, spawned

HERE = Path(__file__).parent
ANY = "…"

#: The handler of every transcript, once in each language.
HANDLERS = {
    "python": """
        from toolcell import ToolError
        def handler(arguments, cell):
            match arguments["do"]:
                case "add":
                    return {"sum": arguments["a"] + arguments["b"]}
                case "tell":
                    cell.log("reading", level="debug", rows=3)
                    cell.progress(0.5, "half way")
                    return [cell.invocation_id, cell.tool_call_id, cell.attempt]
                case "refuse":
                    raise ToolError("No order.", code="ORDER_UNKNOWN", retryable=True, details={"order": 7})
                case "fail":
                    raise ValueError("broken")
                case "exhaust":
                    raise MemoryError
                case "mislead":
                    return {1, 2}
                case "chatter":
                    for _ in range(1005):
                        cell.log("again")
                case "ramble":
                    return "x" * 5000
    """
}
TRANSCRIPTS = sorted(HERE.glob("*.jsonl"))


def resembles(said: Any, expected: Any) -> bool:
    """Compares, where `…` in the transcript stands for any text."""
    if expected == ANY:
        return isinstance(said, str)
    if isinstance(expected, dict) and isinstance(said, dict):
        return said.keys() == expected.keys() and all(resembles(said[name], expected[name]) for name in said)
    return bool(said == expected)


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("runtime", HANDLERS)
def test_a_runtime_holds_the_conversation(runtime: str, transcript: Path, tmp_path: Path) -> None:
    lines: list[tuple[str, Said]] = [tuple(json.loads(line)) for line in transcript.read_text().splitlines()]
    with launched(tmp_path, HANDLERS[runtime], runtime=runtime) as control:
        assert control.receive_message() == {"kind": "started"}
        with spawned(control) as cell:
            for side, frame in lines:
                times = frame.pop("times", 1)
                if side == "server":
                    cell.send(frame)
                    continue
                for _ in range(times):
                    said = cell.receive()
                    assert resembles(said, frame), said


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 8
