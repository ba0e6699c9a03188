"""Every change of SQLite's schema, oldest first; each is applied once, in a transaction of its own."""

from typing import Final

from sqlite_utils import Migrations

from toolcell.store.migrations import m0001_tokens_and_traces, m0002_jobs, m0003_stream

_STEPS: Final = (m0001_tokens_and_traces, m0002_jobs, m0003_stream)

NAMES: Final = tuple(step.__name__.rpartition(".")[2] for step in _STEPS)
MIGRATIONS: Final = Migrations("toolcell")
for _name, _step in zip(NAMES, _STEPS, strict=True):
    MIGRATIONS(name=_name)(_step.apply)
