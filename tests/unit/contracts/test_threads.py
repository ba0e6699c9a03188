"""Contracts are used by the event loop and, for large values, by other threads at the same time."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contracts.workspace import attempt, contract, contracts

TEXTS = ("{}", '{"text": "x", "count": 3}', '{"label": "x", "children": [{"label": "y"}]}', "[")
THREADS = 4


@pytest.fixture
def eager() -> Iterator[None]:
    """Has threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager")
def test_threads_that_meet_a_cold_contract_at_once_agree() -> None:
    expected = {(name, text): attempt(contract(name), text) for name in contracts() for text in TEXTS}
    contracts.cache_clear()
    cold = contracts()
    for entry in cold.values():
        entry.definitions.rules.forget()

    def work(_: int) -> dict[tuple[str, str], object]:
        return {(name, text): attempt(entry, text) for name, entry in cold.items() for text in TEXTS}

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [expected] * THREADS
