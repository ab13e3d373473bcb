-- user: the user's own record: its name, and where its numbers stand
SELECT iif(name = 'shared', NULL, substr(name, 6)) AS user_id, revision, nullif(last_recorded_at, 0) AS last_recorded_at, last_turn,
  last_row, last_passage, last_source, last_entity, cleared_at AS cleared_number, unchanged, lease_owner, lease_until
FROM users WHERE space = :space;

-- batches: what was handed in, done, pending or still open: with what was kept out of it, and how often it was tried
SELECT id, agent_id, session_id, status, created_at, finished_at, infer, options AS options_json, idempotency_key, digest,
  redacted AS redacted_json, attempts, error, lease_owner, lease_until, closes_at
FROM batches WHERE space = :space ORDER BY created_at, id;

-- chunks: the parts of batches, by the numbers of their turns
SELECT batch_id, n, first_turn, last_turn, state, committed, model, prompt_id
FROM chunks WHERE space = :space ORDER BY first_turn, batch_id;

-- turns: what was said
SELECT number, id, batch_id, agent_id, session_id, role, name, content, said_at, utc_offset AS utc_offset_minutes, dated,
  metadata AS metadata_json, passage, committed, blanked
FROM turns WHERE space = :space ORDER BY number;

-- facts: what was extracted and verified, per chunk
SELECT f.batch_id, f.chunk, f.n, f.payload AS fact_json
FROM facts f JOIN batches b ON b.id = f.batch_id WHERE b.space = :space ORDER BY b.created_at, f.batch_id, f.chunk, f.n;

-- rejected: what was extracted and not believed
SELECT r.batch_id, r.chunk, r.n, r.text, r.reason
FROM rejected r JOIN batches b ON b.id = r.batch_id WHERE b.space = :space ORDER BY b.created_at, r.batch_id, r.chunk, r.n;

-- calls: what models were paid for it; without their numbers, which count everybody's
SELECT c.batch_id, c.chunk, c.purpose, c.at AS called_at, c.llm_calls, c.input_tokens, c.output_tokens, c.cost_usd
FROM calls c JOIN batches b ON b.id = c.batch_id WHERE b.space = :space ORDER BY b.created_at, c.batch_id, c.chunk, c.id;

-- memories: every version: when it holds (valid), when it was believed (recorded and retired, as times and as numbers)
SELECT r.number, r.memory_id, r.statement, s.text, s.kind, s.subject, s.attribute, s.value, s.source, r.valid_from, r.valid_to,
  s.event_from, s.event_to, s.event_precision, r.recorded AS recorded_number,
  (SELECT recorded_at FROM changes c WHERE c.space = r.space AND c.number = r.recorded) AS recorded_at,
  r.retired AS retired_number,
  (SELECT recorded_at FROM changes c WHERE c.space = r.space AND c.number = r.retired) AS retired_at,
  r.metadata AS metadata_json, r.expires_at, r.quarantined, r.restores
FROM memory_rows r JOIN statements s ON s.space = r.space AND s.number = r.statement WHERE r.space = :space ORDER BY r.number;

-- statements: what memories say, each once, with the keys it is found by
SELECT number, text, kind, subject, attribute, many, value, event_from, event_to, event_precision, source, slot_key, text_key
FROM statements WHERE space = :space ORDER BY number;

-- sources: the quotes behind statements
SELECT number, statement, turn, quote, echo, added AS added_number, retired AS retired_number
FROM sources WHERE space = :space ORDER BY number;

-- history: every change, with who made it
SELECT number, id, op, memory_id, row, previous_text, also_ended AS also_ended_json, reason, flag, batch_id, chunk, recorded_at, actor,
  model, prompt_id, undoes
FROM changes WHERE space = :space ORDER BY number;

-- hidings: turns that were taken out of search
SELECT turn, added AS added_number, origin AS origin_number, retired AS retired_number
FROM hidings WHERE space = :space ORDER BY turn, added;

-- entities: who and what memories name
SELECT number, name, key, kind FROM entities WHERE space = :space ORDER BY number;

-- mentions: which statement names which entity
SELECT statement, entity FROM mentions WHERE space = :space ORDER BY statement, entity;

-- relations: how statements relate entities
SELECT r.statement, r.subject, s.name AS subject_name, r.predicate, r.object, o.name AS object_name
FROM relations r LEFT JOIN entities s ON s.space = r.space AND s.number = r.subject
  LEFT JOIN entities o ON o.space = r.space AND o.number = r.object
WHERE r.space = :space ORDER BY r.statement, r.subject, r.predicate, r.object;

-- identities: which entities a caller said to be the same, or not
SELECT one, other, same, added AS added_number, origin AS origin_number, retired AS retired_number
FROM identities WHERE space = :space ORDER BY one, other, added;

-- passages: what is searched: the vector (little-endian float32) and the term counts of a statement or turn
SELECT number, kind, vector, terms AS terms_json, revised AS revised_number FROM passages WHERE space = :space ORDER BY number;

-- reembedded: new vectors of a reembed under way
SELECT passage, vector FROM reembedded WHERE space = :space ORDER BY passage;

-- tombstones: keyed digests of erased texts
SELECT digest, before AS before_at FROM tombstones WHERE space = :space ORDER BY digest;

-- seals: digests of the rows above, by table and key
SELECT sealed, key, seal FROM seals WHERE space = :space ORDER BY sealed, key;
