"""The main job on real input: recorded turns of a model against a running server."""

import importlib.util
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.system.dev_server import ROOT, Server, copy_workspace, environment
from toolcell.model import errors

RECORDED = ROOT / "clients/python/recorded/openai_chat.jsonl"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dev server with the example tools."""
    with Server.dev(copy_workspace(tmp_path_factory.mktemp("workspace"))) as running:
        yield running


def replay(server: Server, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "clients/python/agent_loop.py", *arguments],
        cwd=server.folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_recorded_call_is_answered_with_what_a_model_can_act_on(server: Server) -> None:
    done = replay(server)
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    calls = [call for line in RECORDED.read_text().splitlines() for call in json.loads(line)["tool_calls"]]
    assert [message["tool_call_id"] for message in messages] == [call["id"] for call in calls]
    assert {message["role"] for message in messages} == {"tool"}
    assert all(set(message) == {"role", "tool_call_id", "content"} for message in messages)

    ada, slow, fast, found, bad, gauss, unknown, nowhere, nothing, torn, grace = (
        m["content"] for m in messages
    )
    assert json.loads(ada)["customers"][0]["customer_id"] == "cus_0001"
    assert int(json.loads(slow)["price_cents"]) < int(json.loads(fast)["price_cents"])
    assert json.loads(found)["findings"] == [
        {"source": "SOURCE_ORGANISATION", "value": "example.com", "confidence": 0.7}
    ]
    assert bad.startswith("Error: Arguments rejected: ")
    assert bad.endswith("Correct these fields and call again.")
    assert all(field in bad for field in ("weight_kg", "country", "insured"))
    assert "Great Britain" not in bad
    assert json.loads(gauss)["customers"][0]["lifetime_value_cents"] == "9007199254740993"
    assert unknown.startswith("Error: There is no tool find_customer. Available: ")
    assert nowhere == "Error: no service to KP; ask for another destination"
    assert "query" in nothing
    assert torn.startswith("Error: Arguments rejected: ")
    assert json.loads(grace)["customers"][0]["name"] == "Grace Hopper"


def test_anthropic_s_turns_are_answered_with_one_user_message_each(server: Server) -> None:
    recorded = RECORDED.with_name("anthropic.jsonl")
    done = replay(server, str(recorded))
    assert done.returncode == 0, done.stderr
    turns = [json.loads(line)["content"] for line in recorded.read_text().splitlines()]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {answer["role"] for answer in answers} == {"user"}
    asked = [[block["id"] for block in turn if block["type"] == "tool_use"] for turn in turns]
    assert [[block["tool_use_id"] for block in answer["content"]] for answer in answers] == asked
    told = [block for answer in answers for block in answer["content"]]
    wrong = [block["content"] for block in told if block.get("is_error")]
    assert len(wrong) == 4
    assert wrong[0].startswith("Arguments rejected: ")
    assert wrong[1].startswith("There is no tool find_customer. Available: ")
    assert wrong[2] == "no service to KP; ask for another destination"
    assert json.loads(told[0]["content"])["customers"][0]["customer_id"] == "cus_0001"
    assert "the model made up find_customer" in done.stderr.splitlines()
    assert "the model sees search_customer(query)" in done.stderr.splitlines()


def test_gemini_s_turns_are_answered_with_one_content_each(server: Server) -> None:
    recorded = RECORDED.with_name("gemini.jsonl")
    done = replay(server, str(recorded))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    parts = [part["functionResponse"] for answer in answers for part in answer["parts"]]
    turns = [json.loads(line)["parts"] for line in recorded.read_text().splitlines()]
    asked = [part["functionCall"]["name"] for turn in turns for part in turn if "functionCall" in part]
    assert [part["name"] for part in parts] == asked
    assert all(set(part["response"]) in ({"output"}, {"error"}) for part in parts)
    assert parts[0]["response"]["output"]["customers"][0]["customer_id"] == "cus_0001"
    assert sum("error" in part["response"] for part in parts) == 4


def test_it_says_what_the_model_sees_and_what_it_made_up(server: Server) -> None:
    said = replay(server).stderr.splitlines()
    assert "the model sees search_customer(query)" in said
    assert "the model made up find_customer" in said


def test_it_needs_the_stubs_beside_it_and_nothing_of_the_server(server: Server) -> None:
    program = [sys.executable, "-S", "clients/python/agent_loop.py"]  # -S: no editable install is on the path
    variables = environment(PYTHONPATH=sysconfig.get_path("purelib"))
    where = "import toolcell.v1.tool_pb2 as stubs; print(stubs.__file__)"
    isolated = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, 'clients/python'); {where}"]
    found = subprocess.run(
        isolated, cwd=server.folder, env=variables, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(f"{server.folder}/clients/python/toolcell/v1/")
    done = subprocess.run(
        program, cwd=server.folder, env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, replay(server).stdout), done.stderr


def test_the_model_s_ids_are_in_the_records(server: Server) -> None:
    replay(server)
    for line in RECORDED.read_text().splitlines():
        for call in json.loads(line)["tool_calls"]:
            if call["function"]["name"] != "find_customer":
                found = json.loads(server.output("runs", "--tool-call-id", call["id"], "--json"))
                assert found[0]["tool"] == call["function"]["name"]


def test_a_wrong_token_ends_the_loop_and_is_not_told_to_the_model(server: Server) -> None:
    done = replay(server, TOOLCELL_TOKEN="tc_dev_wrong")
    assert done.returncode == 1
    assert not done.stdout
    assert done.stderr.startswith("UNAUTHENTICATED: ")
    assert "tc_dev_wrong" not in done.stderr


def test_the_key_of_the_dev_server_goes_to_no_other(server: Server) -> None:
    done = replay(server, TOOLCELL_SERVER="127.0.0.1:9")
    assert done.returncode == 1
    assert "TOOLCELL_TOKEN_FILE is not there" in done.stderr


# ── the sentences ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def sentences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sentences", ROOT / "clients/python/sentences.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refusals(kind: type[errors.ToolcellError]) -> Iterator[type[errors.ToolcellError]]:
    for each in kind.__subclasses__():
        yield from refusals(each)
        if hasattr(each, "reason"):
            yield each


def test_the_sentences_are_the_server_s_own(sentences: ModuleType) -> None:
    default = errors.ToolcellError.sentence
    own = {each.reason: each.sentence for each in refusals(errors.Refusal) if each.sentence != default}
    own[errors.Reason.INPUT_INVALID] = sentences.SENTENCES[
        "INPUT_INVALID"
    ]  # the server's lists the violations
    assert own == sentences.SENTENCES
    violations = (errors.Violation("a", "must be b."), errors.Violation("", "is not JSON."))
    told = errors.InputInvalid("", violations=violations).told
    assert told == sentences.SENTENCES["INPUT_INVALID"].format(violations="a: must be b.; is not JSON")


def test_nothing_is_told_of_what_a_model_cannot_mend(sentences: ModuleType) -> None:
    assert not [reason for reason in sentences.SENTENCES if reason.startswith(("TOKEN_", "RPC_"))]


def test_the_recorded_turns_hold_every_case() -> None:
    turns = [json.loads(line)["tool_calls"] for line in Path(RECORDED).read_text().splitlines()]
    assert {len(turn) for turn in turns} == {1, 2, 3}
    assert "" in {call["function"]["arguments"] for turn in turns for call in turn}
