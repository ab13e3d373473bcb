-- Invariants over all users. Each query finds the places that break one: a comment "noun: what is wrong", then the query.
-- "(mends)" at its end: it can be put right from the ledger itself.

-- user: rows of a user who is not known
SELECT DISTINCT space FROM turns WHERE space NOT IN (SELECT space FROM users)
UNION SELECT DISTINCT space FROM passages WHERE space NOT IN (SELECT space FROM users)
UNION SELECT DISTINCT space FROM memory_rows WHERE space NOT IN (SELECT space FROM users)
UNION SELECT DISTINCT space FROM changes WHERE space NOT IN (SELECT space FROM users)
UNION SELECT DISTINCT space FROM chunks WHERE space NOT IN (SELECT space FROM users)
UNION SELECT DISTINCT space FROM batches WHERE space NOT IN (SELECT space FROM users);

-- batch: no chunk, or chunks whose numbers have gaps
SELECT b.id FROM batches b LEFT JOIN chunks c ON c.batch_id = b.id
GROUP BY b.id HAVING count(c.n) <> coalesce(max(c.n) + 1, 0)
    OR (count(c.n) = 0 AND NOT coalesce(json_extract(CASE WHEN json_valid(b.options) THEN b.options END, '$.retells'), 0)
        AND NOT coalesce(json_extract(CASE WHEN json_valid(b.options) THEN b.options END, '$.dropped'), 0));

-- batch: done with chunks that are not committed, or pending with none that is left
SELECT b.id FROM batches b JOIN chunks c ON c.batch_id = b.id
GROUP BY b.id HAVING (b.status = 'done') <> (sum(c.state <> 'committed') = 0);

-- batch: chunks that leave turns of it out, or overlap
SELECT DISTINCT batch_id FROM (
    SELECT batch_id, first_turn, lag(last_turn) OVER (PARTITION BY batch_id ORDER BY n) AS before FROM chunks
) JOIN batches b ON b.id = batch_id
WHERE first_turn <= before
    OR (first_turn <> before + 1
        AND NOT coalesce(json_extract(CASE WHEN json_valid(b.options) THEN b.options END, '$.retells'), 0));

-- batch: open, and its one chunk is not, or the other way round
SELECT b.id FROM batches b JOIN chunks c ON c.batch_id = b.id
WHERE (b.status = 'open') <> (c.state = 'open') OR (b.status = 'open' AND c.n > 0) OR (b.status <> 'open' AND b.closes_at IS NOT NULL);

-- chunk: turns that are missing
SELECT c.batch_id || ', ' || c.n FROM chunks c LEFT JOIN turns t
    ON t.space = c.space AND t.number BETWEEN c.first_turn AND c.last_turn
GROUP BY c.batch_id, c.n
HAVING count(t.number) <> iif(c.state = 'open', coalesce(max(t.number), c.first_turn), c.last_turn) - c.first_turn + 1 - c.erased;

-- chunk: of another user than its batch
SELECT c.batch_id || ', ' || c.n FROM chunks c JOIN batches b ON b.id = c.batch_id WHERE b.space <> c.space;

-- chunk: committed without a number, or by one that the user has not reached
SELECT c.batch_id || ', ' || c.n FROM chunks c JOIN users u ON u.space = c.space
WHERE (c.state = 'committed') <> (c.committed IS NOT NULL) OR c.committed > u.revision;

-- chunk: committed, and its turns are not searchable; or the other way round
SELECT DISTINCT c.batch_id || ', ' || c.n FROM chunks c JOIN turns t
    ON t.space = c.space AND t.number BETWEEN c.first_turn AND c.last_turn AND t.batch_id = c.batch_id
WHERE t.committed IS NOT c.committed;

-- turn: of no chunk of its batch
SELECT t.id FROM turns t LEFT JOIN chunks c
    ON c.batch_id = t.batch_id AND t.number BETWEEN c.first_turn AND c.last_turn
WHERE t.batch_id <> '' AND c.batch_id IS NULL;

-- batch: facts, rejections or calls of a chunk that is missing
SELECT batch_id FROM facts f WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = f.batch_id AND c.n = f.chunk)
UNION SELECT batch_id FROM rejected f WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = f.batch_id AND c.n = f.chunk)
UNION SELECT batch_id FROM calls f WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = f.batch_id AND c.n = f.chunk);
