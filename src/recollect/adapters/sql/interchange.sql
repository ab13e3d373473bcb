-- What one user's part of an interchange file is made of, in its order: see docs/interchange.md. Columns are named as in export.sql.
-- Statements, versions and sources are numbered from 1 without gaps; all other numbers are the ledger's own.

-- batch: what was handed in, done or pending; one that is still open is pending in the file, with what it has
SELECT id, agent_id, session_id, iif(status = 'open', 'pending', status) AS status, created_at, finished_at, infer, json_extract(options, '$.metadata') AS metadata_json,
  json_extract(options, '$.expires_at') AS expires_at, json_extract(options, '$.instructions') AS instructions,
  coalesce(json_extract(options, '$.retells'), 0) AS retells, coalesce(json_extract(options, '$.dropped'), 0) AS dropped,
  coalesce(json_extract(options, '$.successive'), 0) AS successive,
  iif(idempotency_key LIKE 'erased:%', NULL, idempotency_key) AS idempotency_key, digest, redacted AS redacted_json, attempts, error
FROM batches WHERE space = :space ORDER BY created_at, id;

-- chunk: the parts of batches; an open one ends with its last turn
WITH ends AS (
  SELECT c.batch_id, c.n, coalesce(max(t.number), c.first_turn) AS last, count(t.number) AS turns
  FROM chunks c LEFT JOIN turns t ON t.space = c.space AND t.number BETWEEN c.first_turn AND c.last_turn
  WHERE c.space = :space AND c.state = 'open' GROUP BY c.batch_id, c.n)
SELECT c.batch_id, c.n, c.first_turn, coalesce(e.last, c.last_turn) AS last_turn, iif(c.state = 'open', 'closed', c.state) AS state,
  c.committed, c.model, c.prompt_id, coalesce(e.last - c.first_turn + 1 - e.turns, c.erased) AS erased
FROM chunks c LEFT JOIN ends e ON e.batch_id = c.batch_id AND e.n = c.n
WHERE c.space = :space ORDER BY c.first_turn, c.batch_id, c.n;

-- fact: what was extracted and waits for its decision
SELECT f.batch_id, f.chunk, f.n, f.payload AS fact_json
FROM facts f JOIN batches b ON b.id = f.batch_id WHERE b.space = :space ORDER BY b.created_at, f.batch_id, f.chunk, f.n;

-- rejected: what was extracted and not believed
SELECT r.batch_id, r.chunk, r.n, r.text, r.reason
FROM rejected r JOIN batches b ON b.id = r.batch_id WHERE b.space = :space ORDER BY b.created_at, r.batch_id, r.chunk, r.n;

-- hiding: turns that were taken out of search
SELECT turn, added, origin, retired FROM hidings WHERE space = :space ORDER BY turn, added;

-- turn: what was said
SELECT t.number, t.id, nullif(t.batch_id, '') AS batch_id, t.agent_id, t.session_id, t.role, t.name, t.content, t.said_at, t.utc_offset,
  t.dated, t.metadata AS metadata_json, t.committed, t.blanked,
  (SELECT p.vector FROM passages p WHERE p.space = t.space AND p.number = t.passage) AS vector
FROM turns t WHERE t.space = :space ORDER BY t.number;

-- change: the history
WITH labels AS (SELECT number, row_number() OVER (ORDER BY number) AS label FROM memory_rows WHERE space = :space)
SELECT c.number, id, op, memory_id, l.label AS row, previous_text, also_ended AS also_ended_json, reason, flag, batch_id, chunk, recorded_at, actor,
  model, prompt_id, undoes
FROM changes c LEFT JOIN labels l ON l.number = c.row WHERE c.space = :space ORDER BY c.number;

-- entity: who and what memories name
SELECT number, name, kind FROM entities WHERE space = :space ORDER BY number;

-- statement: what memories say
SELECT row_number() OVER (ORDER BY s.number) AS number, s.text, s.kind, s.subject, s.attribute, s.many, s.value, s.event_from, s.event_to,
  s.event_precision, s.source,
  (SELECT json_group_array(entity) FROM (SELECT entity FROM mentions m WHERE m.space = s.space AND m.statement = s.number ORDER BY entity))
    AS entities_json,
  (SELECT json_group_array(json_array(subject, predicate, object)) FROM (SELECT subject, predicate, object FROM relations r
    WHERE r.space = s.space AND r.statement = s.number ORDER BY subject, predicate, object)) AS relations_json,
  (SELECT p.vector FROM passages p WHERE p.space = s.space AND p.number = s.number) AS vector
FROM statements s WHERE s.space = :space ORDER BY s.number;

-- version: the versions of memories
WITH labels AS (SELECT number, row_number() OVER (ORDER BY number) AS label FROM statements WHERE space = :space),
  own AS (SELECT number, row_number() OVER (ORDER BY number) AS label FROM memory_rows WHERE space = :space)
SELECT o.label AS number, r.memory_id, l.label AS statement, r.valid_from, r.valid_to, r.recorded, r.retired,
  r.metadata AS metadata_json, r.expires_at, r.quarantined, b.label AS restores
FROM memory_rows r JOIN labels l ON l.number = r.statement JOIN own o ON o.number = r.number LEFT JOIN own b ON b.number = r.restores
WHERE r.space = :space ORDER BY r.number;

-- source: the quotes behind statements
WITH labels AS (SELECT number, row_number() OVER (ORDER BY number) AS label FROM statements WHERE space = :space)
SELECT row_number() OVER (ORDER BY s.number) AS number, l.label AS statement, s.turn, s.quote, s.echo, s.added, s.retired
FROM sources s JOIN labels l ON l.number = s.statement WHERE s.space = :space ORDER BY s.number;

-- identity: which entities a caller said to be the same, or not
SELECT one, other, same, added, origin, retired FROM identities WHERE space = :space ORDER BY one, other, added;
