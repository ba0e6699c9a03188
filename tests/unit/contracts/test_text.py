"""The sentences about text that is not JSON."""

import pytest

from tests.contracts.workspace import attempt, contract


@pytest.mark.parametrize("arguments", ['{"text": "cut off', '{"text": "a\nb"}', "[1"])
def test_where_json_breaks_is_said_in_a_sentence(arguments: str) -> None:
    [violation] = attempt(contract("echo_everything"), arguments)[1]
    assert " at line 1, column " in violation.description
    assert " at at " not in violation.description
