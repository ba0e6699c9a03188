"""Jobs with their labels; an invocation says which attempt of which job it is."""

from typing import Final

from sqlite_utils import Database

_STEPS: Final = (
    "ALTER TABLE invocation ADD COLUMN job_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE invocation ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX invocation_by_job ON invocation (job_id, invocation_id) WHERE job_id <> ''",
    # Large columns stand last, as in `invocation`.
    """CREATE TABLE job (
      job_id TEXT PRIMARY KEY,
      tool TEXT NOT NULL,
      caller TEXT NOT NULL,
      token_id TEXT NOT NULL,
      tool_call_id TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      parent_span_id TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
      attempt INTEGER NOT NULL CHECK (attempt > 0 OR state <> 'RUNNING'),
      owner TEXT NOT NULL CHECK ((owner <> '') = (state = 'RUNNING')),
      invocation_id TEXT NOT NULL,
      revision TEXT NOT NULL,
      retry_safe INTEGER NOT NULL,
      is_struct INTEGER NOT NULL,
      create_time BIGINT NOT NULL,
      start_time BIGINT NOT NULL CHECK ((start_time > 0) = (attempt > 0)),
      end_time BIGINT NOT NULL CHECK ((end_time > 0) = (state NOT IN ('PENDING', 'RUNNING'))),
      cancel_request_time BIGINT NOT NULL CHECK (cancel_request_time > 0 OR state <> 'CANCELLED'),
      labels TEXT NOT NULL,
      failure TEXT CHECK ((failure IS NOT NULL) = (state IN ('FAILED', 'CANCELLED'))),
      arguments_json TEXT NOT NULL,
      output_json TEXT NOT NULL)""",
    "CREATE INDEX job_by_state ON job (state, job_id)",
    "CREATE INDEX job_by_caller ON job (caller, job_id)",
    "CREATE INDEX job_by_tool ON job (tool, job_id)",
    "CREATE INDEX job_by_tool_call ON job (tool_call_id, job_id) WHERE tool_call_id <> ''",
    "CREATE INDEX job_by_time ON job (create_time, job_id)",
    """CREATE TRIGGER job_ended BEFORE UPDATE ON job WHEN OLD.end_time > 0
      BEGIN SELECT RAISE(ABORT, 'a job that ended does not change'); END""",
    """CREATE TABLE job_label (
      job_id TEXT NOT NULL,
      key TEXT NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (job_id, key)) WITHOUT ROWID""",
    "CREATE INDEX job_label_by_value ON job_label (key, value, job_id)",
)


def apply(database: Database) -> None:
    """Adds the table of jobs."""
    for statement in _STEPS:
        database.execute(statement)
