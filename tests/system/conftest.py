"""What several system tests share: the clients in other languages, built once."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.system.dev_server import ROOT


@pytest.fixture(scope="session")
def clients() -> Path:
    """Builds the clients as a user does; returns the folder of the programs: Go, Node, grpcurl and ours."""
    done = subprocess.run(
        [ROOT / "dev", "clients"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GOFLAGS")},
    )
    assert done.returncode == 0, done.stdout
    return ROOT / ".venv-clients/bin"
