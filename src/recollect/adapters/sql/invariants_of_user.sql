-- Invariants of one user, :space; :bytes is the length of a vector. Written as in invariants_of_store.sql.

-- row: a version without the change that recorded it
SELECT number FROM memory_rows r WHERE space = :space
    AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = r.space AND c.number = r.recorded);

-- row: a version retired by a change that is missing, or before it was recorded
SELECT number FROM memory_rows r WHERE space = :space AND retired IS NOT NULL
    AND (retired < recorded OR NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = r.space AND c.number = r.retired));

-- row: a version without its statement
SELECT number FROM memory_rows r WHERE space = :space
    AND NOT EXISTS (SELECT 1 FROM statements m WHERE m.space = r.space AND m.number = r.statement);

-- row: a version without a source
SELECT number FROM memory_rows WHERE space = :space AND retired IS NULL
    AND statement NOT IN (SELECT statement FROM sources WHERE space = :space AND retired IS NULL AND echo = 0);

-- row: two versions of a memory that hold at the same time
SELECT number FROM (
    SELECT number, valid_from, lag(coalesce(valid_to, 9223372036854775807))
        OVER (PARTITION BY memory_id ORDER BY valid_from, coalesce(valid_to, 9223372036854775807)) AS before
    FROM memory_rows WHERE space = :space AND retired IS NULL
) WHERE valid_from < before;

-- row: put aside for a review, and another version of the same memory is not
SELECT number FROM memory_rows r WHERE space = :space AND quarantined <> 0 AND retired IS NULL
    AND EXISTS (SELECT 1 FROM memory_rows o WHERE o.memory_id = r.memory_id AND o.space = r.space
        AND o.retired IS NULL AND o.quarantined = 0);

-- statement: a statement that no version says
SELECT number FROM statements m WHERE space = :space
    AND NOT EXISTS (SELECT 1 FROM memory_rows r WHERE r.space = m.space AND r.statement = m.number);

-- statement: a statement that cannot be searched
SELECT number FROM statements m WHERE space = :space
    AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.space = m.space AND p.number = m.number AND p.kind = 'statement');

-- passage: what is searched belongs to no statement and no turn
SELECT number FROM passages p WHERE space = :space AND CASE kind
    WHEN 'statement' THEN NOT EXISTS (SELECT 1 FROM statements m WHERE m.space = p.space AND m.number = p.number)
    ELSE (SELECT count(*) FROM turns t WHERE t.space = p.space AND t.passage = p.number) <> 1 END;

-- passage: a vector of the wrong length (mends)
SELECT number FROM passages WHERE space = :space AND vector IS NOT NULL AND length(vector) <> :bytes;

-- passage: numbered later than the user's last commit
SELECT number FROM passages WHERE space = :space AND revised > (SELECT revision FROM users WHERE space = :space);

-- turn: a committed turn that cannot be searched
SELECT number FROM turns t WHERE space = :space AND ((passage IS NULL) <> (committed IS NULL) OR (passage IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.space = t.space AND p.number = t.passage AND p.kind = 'turn')));

-- source: a quote whose statement or turn is missing
SELECT number FROM sources s WHERE space = :space
    AND (NOT EXISTS (SELECT 1 FROM statements m WHERE m.space = s.space AND m.number = s.statement)
        OR NOT EXISTS (SELECT 1 FROM turns t WHERE t.space = s.space AND t.number = s.turn));

-- source: a quote without the change that added or retired it
SELECT number FROM sources s WHERE space = :space
    AND (NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = s.space AND c.number = s.added)
        OR (retired IS NOT NULL AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = s.space AND c.number = s.retired)));

-- turn: hidden without the change that did it or undid it
SELECT turn FROM hidings h WHERE space = :space
    AND (NOT EXISTS (SELECT 1 FROM turns t WHERE t.space = h.space AND t.number = h.turn)
        OR NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = h.space AND c.number = h.added)
        OR NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = h.space AND c.number = h.origin)
        OR (retired IS NOT NULL AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = h.space AND c.number = h.retired)));

-- entity: merged or told apart without the change that did it or undid it, or with an entity that is missing
SELECT one FROM identities i WHERE space = :space
    AND (one >= other
        OR NOT EXISTS (SELECT 1 FROM entities e WHERE e.space = i.space AND e.number = i.one)
        OR NOT EXISTS (SELECT 1 FROM entities e WHERE e.space = i.space AND e.number = i.other)
        OR NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = i.space AND c.number = i.added)
        OR NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = i.space AND c.number = i.origin)
        OR (retired IS NOT NULL AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = i.space AND c.number = i.retired)));

-- change: a change of a version, or undoing a change, that is missing
SELECT number FROM changes x WHERE space = :space
    AND ((row IS NOT NULL AND NOT EXISTS (SELECT 1 FROM memory_rows r WHERE r.space = x.space AND r.number = x.row))
        OR (undoes IS NOT NULL AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.space = x.space AND c.id = x.undoes)));

-- change: recorded earlier than the change before it
SELECT number FROM (
    SELECT number, recorded_at, lag(recorded_at) OVER (ORDER BY number) AS before FROM changes WHERE space = :space
) WHERE recorded_at < before;

-- history: numbers of changes that are missing
SELECT revision FROM users u WHERE space = :space
    AND revision - unchanged <> (SELECT count(*) FROM changes c WHERE c.space = u.space AND c.number BETWEEN 1 AND u.revision);

-- rows: versions, statements, turns' passages, sources or entities that are missing
SELECT 'count' FROM users u WHERE space = :space
    AND (last_row > gone_rows + (SELECT count(*) FROM memory_rows r WHERE r.space = u.space)
        OR last_passage > gone_passages + (SELECT count(*) FROM passages p WHERE p.space = u.space)
        OR last_source > gone_sources + (SELECT count(*) FROM sources s WHERE s.space = u.space)
        OR last_entity > gone_entities + (SELECT count(*) FROM entities e WHERE e.space = u.space));

-- counters: a number that was given out already would be given out again (mends)
SELECT 'last' FROM users u WHERE space = :space
    AND (last_row < (SELECT coalesce(max(number), 0) FROM memory_rows r WHERE r.space = u.space)
        OR last_turn < (SELECT coalesce(max(number), 0) FROM turns t WHERE t.space = u.space)
        OR last_passage < (SELECT coalesce(max(number), 0) FROM passages p WHERE p.space = u.space)
        OR last_source < (SELECT coalesce(max(number), 0) FROM sources s WHERE s.space = u.space)
        OR last_entity < (SELECT coalesce(max(number), 0) FROM entities e WHERE e.space = u.space)
        OR last_recorded_at < (SELECT coalesce(max(recorded_at), 0) FROM changes c WHERE c.space = u.space)
        OR revision < (SELECT coalesce(max(number), 0) FROM changes c WHERE c.space = u.space));

-- statement: an entity or a relation that is missing
SELECT statement FROM mentions m WHERE space = :space
    AND (NOT EXISTS (SELECT 1 FROM entities e WHERE e.space = m.space AND e.number = m.entity)
        OR NOT EXISTS (SELECT 1 FROM statements s WHERE s.space = m.space AND s.number = m.statement))
UNION SELECT statement FROM relations r WHERE space = :space
    AND (NOT EXISTS (SELECT 1 FROM entities e WHERE e.space = r.space AND e.number = r.subject)
        OR NOT EXISTS (SELECT 1 FROM entities e WHERE e.space = r.space AND e.number = r.object)
        OR NOT EXISTS (SELECT 1 FROM statements s WHERE s.space = r.space AND s.number = r.statement));
