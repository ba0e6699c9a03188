"""Tokens, invocations with their labels and events, and the spool's mark."""

from typing import Final

from sqlite_utils import Database

# Large columns stand last: SQLite reads a row from its front.
_TABLES: Final = (
    """CREATE TABLE token (
      token_id TEXT PRIMARY KEY,
      caller TEXT NOT NULL,
      digest BLOB NOT NULL UNIQUE,
      grants TEXT NOT NULL,
      note TEXT NOT NULL,
      create_time BIGINT NOT NULL,
      expire_time BIGINT NOT NULL,
      revoke_time BIGINT NOT NULL)""",
    """CREATE TABLE invocation (
      invocation_id TEXT PRIMARY KEY,
      trace_id TEXT NOT NULL,
      span_id TEXT NOT NULL,
      parent_span_id TEXT NOT NULL,
      tool TEXT NOT NULL,
      revision TEXT NOT NULL,
      caller TEXT NOT NULL,
      token_id TEXT NOT NULL,
      tool_call_id TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
      isolation_level INTEGER NOT NULL,
      create_time BIGINT NOT NULL,
      start_time BIGINT NOT NULL,
      end_time BIGINT NOT NULL,
      cpu_microseconds BIGINT NOT NULL,
      memory_peak_bytes BIGINT NOT NULL,
      interrupted INTEGER NOT NULL,
      retry_safe INTEGER NOT NULL,
      labels TEXT NOT NULL,
      failure TEXT,
      input_json TEXT NOT NULL,
      output_json TEXT NOT NULL)""",
    "CREATE INDEX invocation_by_caller ON invocation (caller, invocation_id)",
    "CREATE INDEX invocation_by_tool ON invocation (tool, invocation_id)",
    "CREATE INDEX invocation_by_trace ON invocation (trace_id, invocation_id)",
    """CREATE INDEX invocation_by_tool_call ON invocation (tool_call_id, invocation_id)
      WHERE tool_call_id <> ''""",
    "CREATE INDEX invocation_by_time ON invocation (create_time, invocation_id)",
    "CREATE INDEX invocation_by_state ON invocation (state, invocation_id)",
    """CREATE TABLE label (
      invocation_id TEXT NOT NULL,
      key TEXT NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (invocation_id, key)) WITHOUT ROWID""",
    "CREATE INDEX label_by_value ON label (key, value, invocation_id)",
    """CREATE TABLE event (
      sequence INTEGER PRIMARY KEY,
      invocation_id TEXT NOT NULL,
      time BIGINT NOT NULL,
      kind TEXT NOT NULL,
      body TEXT NOT NULL)""",
    "CREATE INDEX event_by_invocation ON event (invocation_id, sequence)",
    "CREATE TABLE spool_mark (name TEXT PRIMARY KEY, sequence BIGINT NOT NULL)",
)


def apply(database: Database) -> None:
    """Creates the first tables."""
    for statement in _TABLES:
        database.execute(statement)
