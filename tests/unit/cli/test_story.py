"""How an invocation is told, also one that a newer server or a hostile tool wrote."""

from google.protobuf import json_format

from toolcell.cli.options import word_of
from toolcell.cli.story import row, story
from toolcell.v1 import trace_pb2, trace_service_pb2

RECORD = {
    "invocation_id": "inv_1",
    "tool": "search_customer",
    "caller": "dev",
    "token_id": "t1",
    "state": "STATE_FAILED",
    "isolation_level": 2,
    "create_time": "2026-05-04T10:00:00Z",
    "start_time": "2026-05-04T10:00:00.002Z",
    "end_time": "2026-05-04T10:00:01.500Z",
    "duration": "1.5s",
    "cpu_time": "0.004s",
    "memory_peak_bytes": "12582912",
    "labels": {"b": "2", "a": "1"},
    "input_json": "{not json",
    "failure": {
        "reason": "ERROR_REASON_HANDLER_CRASHED",
        "message": "It failed.",
        "executed": "EXECUTED_MAYBE",
    },
}
EVENTS = [
    {
        "time": "2026-05-04T10:00:00.003Z",
        "kind": "log",
        "body": {"level": "info", "message": "a\x1b[2J", "fields": {"n": 1}},
    },
    {"time": "2026-05-04T10:00:00.250Z", "kind": "progress", "body": {"fraction": 0.5, "message": "half"}},
    {"time": "2026-05-04T10:00:00.300Z", "kind": "stdout", "body": {"text": "printed"}},
    {
        "time": "2026-05-04T10:00:01.400Z",
        "kind": "exception",
        "body": {
            "type": "E",
            "message": "m",
            "stack": "one\ntwo\n",
            "violations": [{"field": "f", "description": "d"}],
        },
    },
    {"time": "2026-05-04T10:00:01.400Z", "kind": "violation", "body": {"signal": "SIGSYS"}},
    {"time": "2026-05-04T10:00:01.400Z", "kind": "brand_new", "body": {}},
]


def told() -> str:
    answer = trace_service_pb2.GetInvocationResponse()
    json_format.ParseDict({"invocation": RECORD, "events": EVENTS}, answer)
    return "\n".join(story(answer))


def test_the_record_is_told_in_words() -> None:
    for line in (
        "state         FAILED: HANDLER_CRASHED",
        "message       It failed.",
        "executed      MAYBE",
        "duration      1.50 s",
        "waited        2 ms for a cell",
        "used          4 ms CPU, 12.0 MiB memory",
        "labels        a=1, b=2",
        "{not json",
    ):
        assert line in told().splitlines()


def test_every_kind_of_event_is_told_with_the_time_since_the_call_came() -> None:
    events = told().split("events\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[:3] for line in events if "+" in line] == [
        ["+3", "ms", "log"],
        ["+250", "ms", "progress"],
        ["+300", "ms", "stdout"],
        ["+1.40", "s", "exception"],
        ["+1.40", "s", "violation"],
        ["+1.40", "s", "brand_new"],
    ]
    assert "info a\\x1b[2J n=1" in events[0]
    assert "50% half" in events[1]
    assert [line.strip() for line in events[4:7]] == ["one", "two", "f: d"]


def test_a_row_names_the_reason_of_a_failure() -> None:
    record = json_format.ParseDict(RECORD, trace_pb2.Invocation())
    assert row(record)[2:] == ("search_customer", "HANDLER_CRASHED", "1.50 s", "dev")


def test_a_word_that_only_a_newer_server_knows_is_its_number() -> None:
    assert word_of(trace_pb2.State, 99, "STATE_") == "99"
    assert word_of(trace_pb2.State, trace_pb2.STATE_RUNNING, "STATE_") == "RUNNING"
