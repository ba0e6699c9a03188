"""What the containment probes, and what it leaves of a process."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cells.toolmaker import make_tool
from toolcell.cells.containment import (
    STEPS,
    ConfinementError,
    confine,
    highest_level,
    kernel,
    landlock,
    probe,
)
from toolcell.cells.pool import Cells, Request
from toolcell.model.span import EventKind


def test_every_feature_is_explained() -> None:
    features = {feature.name: feature for feature in probe()}
    assert {"landlock", "seccomp", "no_new_privs", "pidfd", "close_range"} <= set(features)
    assert all(feature.detail and feature.consequence.endswith(".") for feature in features.values())


def test_this_machine_gives_level_2() -> None:
    assert highest_level() == 2


def test_without_landlock_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert highest_level() == 0
    (feature,) = [feature for feature in probe() if feature.name == "landlock"]
    assert not feature.present
    assert feature.consequence.startswith("No tool can run")


def test_without_seccomp_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "has_seccomp_action", lambda _: False)
    assert highest_level() == 0


def test_an_old_landlock_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 2)
    assert highest_level() == 2
    missing = {feature.name for feature in probe() if not feature.present}
    assert missing == {"landlock_truncate", "landlock_tcp", "landlock_scope"}


def test_the_landlock_abi_can_only_be_lowered() -> None:
    assert landlock.usable_abi(None) == min(landlock.abi(), landlock.NEWEST_ABI)
    assert landlock.usable_abi(1) == 1
    assert landlock.usable_abi(99) == landlock.usable_abi(None)


def test_a_failing_step_is_named_and_is_the_last() -> None:
    with pytest.raises(ConfinementError) as caught:
        confine({"server": -1})
    assert caught.value.step == STEPS[0][0]


async def test_the_kernel_confirms_every_step(cells: Cells, tmp_path: Path) -> None:
    source = """
        import os, resource
        def handler(arguments, cell):
            cell.log(str(os.getpid()))
            limits = [resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in arguments["limits"]]
            descriptors = [number for number in range(4096) if is_open(number)]
            return {"limits": limits, "groups": os.getgroups(), "descriptors": descriptors}
        def is_open(number):
            try: os.fstat(number)
            except OSError: return False
            return True
    """
    names = ["CORE", "MEMLOCK", "FSIZE", "NOFILE", "DATA", "CPU"]
    tool = make_tool(tmp_path, source, memory_bytes=128 << 20, open_files=32, cpu_seconds=1.5)
    seen: dict[str, str] = {}

    def look(_: EventKind, body: Mapping[str, Any]) -> None:
        lines = Path("/proc", body["message"], "status").read_text().splitlines()
        seen.update((name, value) for name, _, value in (line.partition(":") for line in lines))

    request = Request("inv_test", "", 1, json.dumps({"limits": names}))
    value: Any = (await cells.run(tool, request, time.monotonic() + 20, look)).value
    assert value["limits"] == [[0, 0], [0, 0], [0, 0], [32, 32], [128 << 20] * 2, [2, 3]]
    assert seen["CapEff"].split() == seen["CapPrm"].split() == seen["CapInh"].split() == ["0000000000000000"]
    assert seen["CapAmb"].split() == ["0000000000000000"]
    assert seen["NoNewPrivs"].split() == ["1"]
    assert seen["Seccomp"].split() == ["2"]
    assert seen["Seccomp_filters"].split() == ["2"]
    assert value["descriptors"] == [0, 1, 2, 3]
    if os.getuid() == 0:
        assert value["groups"] == []
        assert seen["CapBnd"].split() == ["0000000000000000"]
