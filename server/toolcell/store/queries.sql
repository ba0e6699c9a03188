-- Every statement of the store, by name. Portable between SQLite 3.40 and PostgreSQL: RETURNING, ON CONFLICT, times as
-- BIGINT microseconds, JSON as TEXT. Parameters are written :name; {places} are filled with SQL of this file's kind,
-- never with a value.

-- ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: add_token
INSERT INTO token (token_id, caller, digest, grants, note, create_time, expire_time, revoke_time)
VALUES (:token_id, :caller, :digest, :grants, :note, :create_time, :expire_time, :revoke_time)

-- name: revoke_token
-- Revoking twice is the same as once: the first time stays.
UPDATE token SET revoke_time = :time WHERE token_id = :token_id AND revoke_time = 0

-- name: tokens
SELECT token_id, caller, digest, grants, note, create_time, expire_time, revoke_time
FROM token ORDER BY create_time DESC, token_id DESC

-- name: page_tokens
SELECT token_id, caller, digest, grants, note, create_time, expire_time, revoke_time
FROM token
WHERE :before = ''
   OR (create_time, token_id) < (SELECT create_time, token_id FROM token WHERE token_id = :before)
ORDER BY create_time DESC, token_id DESC LIMIT :limit

-- ── invocations ─────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: begin_invocation
-- A call that waited for its slot begins twice: PENDING, then RUNNING. What has ended does not begin again: the spool
-- may be drained twice after a failure.
INSERT INTO invocation (
  invocation_id, trace_id, span_id, parent_span_id, tool, revision, caller, token_id, tool_call_id, labels, state,
  isolation_level, create_time, start_time, end_time, input_json, output_json, failure, cpu_microseconds,
  memory_peak_bytes, interrupted, job_id, attempt, retry_safe)
VALUES (
  :invocation_id, :trace_id, :span_id, :parent_span_id, :tool, :revision, :caller, :token_id, :tool_call_id, :labels,
  :state, :isolation_level, :create_time, :start_time, :end_time, :input_json, :output_json, :failure,
  :cpu_microseconds, :memory_peak_bytes, :interrupted, :job_id, :attempt, :retry_safe)
ON CONFLICT (invocation_id) DO UPDATE SET state = excluded.state WHERE invocation.state = 'PENDING'

-- name: end_invocation
-- The whole final record; what identifies a call does not change. retry_safe matters to unfinished records only.
INSERT INTO invocation (
  invocation_id, trace_id, span_id, parent_span_id, tool, revision, caller, token_id, tool_call_id, labels, state,
  isolation_level, create_time, start_time, end_time, input_json, output_json, failure, cpu_microseconds,
  memory_peak_bytes, interrupted, job_id, attempt, retry_safe)
VALUES (
  :invocation_id, :trace_id, :span_id, :parent_span_id, :tool, :revision, :caller, :token_id, :tool_call_id, :labels,
  :state, :isolation_level, :create_time, :start_time, :end_time, :input_json, :output_json, :failure,
  :cpu_microseconds, :memory_peak_bytes, :interrupted, :job_id, :attempt, 0)
ON CONFLICT (invocation_id) DO UPDATE SET
  tool = excluded.tool, revision = excluded.revision, caller = excluded.caller, token_id = excluded.token_id,
  tool_call_id = excluded.tool_call_id, labels = excluded.labels, state = excluded.state,
  isolation_level = excluded.isolation_level, start_time = excluded.start_time, end_time = excluded.end_time,
  input_json = excluded.input_json, output_json = excluded.output_json, failure = excluded.failure,
  cpu_microseconds = excluded.cpu_microseconds, memory_peak_bytes = excluded.memory_peak_bytes,
  interrupted = excluded.interrupted

-- name: finish_invocation
-- The same for a call whose beginning is here already and whose arguments have not changed: they may be large.
UPDATE invocation SET
  tool = :tool, revision = :revision, caller = :caller, token_id = :token_id, tool_call_id = :tool_call_id,
  labels = :labels, state = :state, isolation_level = :isolation_level, start_time = :start_time,
  end_time = :end_time, output_json = :output_json, failure = :failure, cpu_microseconds = :cpu_microseconds,
  memory_peak_bytes = :memory_peak_bytes, interrupted = :interrupted
WHERE invocation_id = :invocation_id

-- name: add_label
INSERT INTO label (invocation_id, key, value) VALUES (:invocation_id, :key, :value)
ON CONFLICT (invocation_id, key) DO NOTHING

-- name: get_invocation
SELECT invocation_id, trace_id, span_id, parent_span_id, tool, revision, caller, token_id, tool_call_id, labels, state,
  isolation_level, create_time, start_time, end_time, input_json, output_json, failure, cpu_microseconds,
  memory_peak_bytes, interrupted, job_id, attempt
FROM invocation WHERE invocation_id = :invocation_id

-- name: page_invocations
-- Ids sort by the time they were made, so the cursor is an id: the invocation's, or a label's where one is asked for,
-- which lets the database walk the label's index backwards.
SELECT invocation.invocation_id, trace_id, span_id, parent_span_id, tool, revision, caller, token_id, tool_call_id,
  labels, state, isolation_level, create_time, start_time, end_time, input_json, output_json, failure,
  cpu_microseconds, memory_peak_bytes, interrupted, job_id, attempt
FROM invocation {joins} WHERE {conditions}
ORDER BY {cursor} DESC LIMIT :limit

-- name: unfinished_invocations
-- What still waited for its slot never ran, so repeating it is safe.
SELECT invocation_id, tool, CASE WHEN state = 'PENDING' THEN 1 ELSE retry_safe END, create_time
FROM invocation WHERE state IN ('PENDING', 'RUNNING')

-- name: interrupt_invocation
UPDATE invocation SET state = 'FAILED', interrupted = 1, failure = :failure, end_time = :end_time
WHERE invocation_id = :invocation_id AND state IN ('PENDING', 'RUNNING')

-- ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: add_event
INSERT INTO event (sequence, invocation_id, time, kind, body)
VALUES (:sequence, :invocation_id, :time, :kind, :body)
ON CONFLICT (sequence) DO NOTHING

-- name: events
SELECT sequence, time, kind, body FROM event
WHERE invocation_id = :invocation_id AND kind NOT IN ('started', 'ended') ORDER BY sequence

-- name: stream_window
-- Where the next :rows events after a number end: what one look for matching events goes through.
SELECT max(sequence) FROM (
  SELECT sequence FROM event WHERE sequence > :after AND sequence <= :until ORDER BY sequence LIMIT :rows) AS part

-- name: stream_events
-- CROSS JOIN fixes the order: the events of a window with their invocations, or the events of a few invocations.
SELECT event.sequence, event.time, event.kind, event.body, event.kind = 'ended' AND invocation.state = 'FAILED',
  event.invocation_id, invocation.tool, invocation.caller, invocation.trace_id, invocation.tool_call_id,
  invocation.job_id, invocation.labels
FROM {tables}
WHERE invocation.invocation_id = event.invocation_id AND event.sequence > :after AND event.sequence <= :until
  AND {conditions}
ORDER BY event.sequence LIMIT :limit

-- name: stream_marks
SELECT name, value FROM stream_mark

-- ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: add_job
INSERT INTO job (
  job_id, caller, token_id, trace_id, parent_span_id, owner, invocation_id, revision, attempt, create_time, start_time,
  end_time, cancel_request_time, retry_safe, is_struct, tool, tool_call_id, arguments_json, output_json, state, labels,
  failure)
VALUES (
  :job_id, :caller, :token_id, :trace_id, :parent_span_id, :owner, :invocation_id, :revision, :attempt, :create_time,
  :start_time, :end_time, :cancel_request_time, :retry_safe, :is_struct, :tool, :tool_call_id, :arguments_json,
  :output_json, :state, :labels, :failure)

-- name: add_job_label
INSERT INTO job_label (job_id, key, value) VALUES (:job_id, :key, :value)

-- name: change_job
-- Only over the row that the change was computed from: what decides is in model/job, and nothing raced past it.
UPDATE job SET
  state = :state, attempt = :attempt, owner = :owner, invocation_id = :invocation_id, revision = :revision,
  retry_safe = :retry_safe, start_time = :start_time, end_time = :end_time, cancel_request_time = :cancel_request_time,
  output_json = :output_json, failure = :failure
WHERE job_id = :job_id AND state = :was_state AND attempt = :was_attempt AND owner = :was_owner
  AND cancel_request_time = :was_cancel_request_time
RETURNING job_id

-- name: get_job
SELECT {columns} FROM job WHERE job_id = :job_id

-- name: page_jobs
-- As page_invocations.
SELECT {columns} FROM job {joins} WHERE {conditions} ORDER BY {cursor} DESC LIMIT :limit

-- name: waiting_jobs
SELECT job_id, tool, caller FROM job WHERE state = 'PENDING' ORDER BY job_id

-- name: running_jobs
SELECT {columns} FROM job WHERE state = 'RUNNING' ORDER BY job_id

-- ── the spool's high-water mark ─────────────────────────────────────────────────────────────────────────────────────

-- name: drained
SELECT sequence FROM spool_mark WHERE name = 'drained'

-- name: mark_drained
-- In the same transaction as what was drained: nothing is applied again after a crash.
INSERT INTO spool_mark (name, sequence) VALUES ('drained', :sequence)
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence

-- ── retention ───────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: mark_pruned
-- The highest number that is gone, or will be with the chunks that follow: what cursors below it ask for has gaps.
INSERT INTO stream_mark (name, value)
SELECT 'pruned', max(event.sequence) FROM event
JOIN (SELECT invocation_id FROM invocation
      WHERE create_time < :before AND state NOT IN ('PENDING', 'RUNNING')
      ORDER BY create_time, invocation_id LIMIT :invocations) AS old ON old.invocation_id = event.invocation_id
HAVING max(event.sequence) > 0
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > stream_mark.value

-- name: prune_events
-- One chunk: events first, so that it never deletes more than :events of them; the invocations follow once they have none.
DELETE FROM event WHERE sequence IN (
  SELECT event.sequence FROM event
  JOIN (SELECT invocation_id FROM invocation
        WHERE create_time < :before AND state NOT IN ('PENDING', 'RUNNING')
        ORDER BY create_time, invocation_id LIMIT :invocations) AS old ON old.invocation_id = event.invocation_id
  LIMIT :events)
RETURNING sequence

-- name: prune_labels
DELETE FROM label WHERE invocation_id IN (
  SELECT invocation_id FROM invocation WHERE create_time < :before AND state NOT IN ('PENDING', 'RUNNING')
  ORDER BY create_time, invocation_id LIMIT :invocations)
AND NOT EXISTS (SELECT 1 FROM event WHERE event.invocation_id = label.invocation_id)

-- name: prune_invocations
DELETE FROM invocation WHERE invocation_id IN (
  SELECT invocation_id FROM invocation WHERE create_time < :before AND state NOT IN ('PENDING', 'RUNNING')
  ORDER BY create_time, invocation_id LIMIT :invocations)
AND NOT EXISTS (SELECT 1 FROM event WHERE event.invocation_id = invocation.invocation_id)
RETURNING invocation_id

-- name: prune_job_labels
DELETE FROM job_label WHERE job_id IN (
  SELECT job_id FROM job WHERE create_time < :before AND end_time > 0 ORDER BY create_time, job_id LIMIT :jobs)

-- name: prune_jobs
DELETE FROM job WHERE job_id IN (
  SELECT job_id FROM job WHERE create_time < :before AND end_time > 0 ORDER BY create_time, job_id LIMIT :jobs)
RETURNING job_id

-- name: used_bytes
-- SQLite's own; another database overrides it.
SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size
