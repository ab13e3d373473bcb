-- The ledger. Times are integer microseconds since 1970 UTC. `space` is a user's integer key: every table that holds a
-- user's data has it first in its primary key, so that no statement can reach another user's rows by a number alone.

CREATE TABLE store (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO store VALUES ('id', lower(hex(randomblob(16)))), ('commits', '0');

-- `revision`: the number of the last commit that the user's partition must know. `last_*`: allocation counters.
-- `cleared_at`: the revision of the last erasure or reembed; a partition older than that is rebuilt, never patched. `unchanged`: how
-- many numbers went to no change (a commit of small talk, a back-filled vector) or to one that was erased; the others all have
-- one. `erased_at`: the revision of the last erasure; what was read before it is not committed. `gone_*`: numbers whose things were
-- erased. A user who was erased keeps the place, under a name that tells nobody ('erased:' and an HMAC): no space is given out twice.
CREATE TABLE users (
    space            INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,          -- 'user:alice', or 'shared'
    revision         INTEGER NOT NULL DEFAULT 0,
    last_recorded_at INTEGER NOT NULL DEFAULT 0,    -- recorded times never go back, whatever the clock does
    last_turn        INTEGER NOT NULL DEFAULT 0,
    last_row         INTEGER NOT NULL DEFAULT 0,
    last_passage     INTEGER NOT NULL DEFAULT 0,
    last_source      INTEGER NOT NULL DEFAULT 0,
    last_entity      INTEGER NOT NULL DEFAULT 0,
    cleared_at       INTEGER NOT NULL DEFAULT 0,
    unchanged        INTEGER NOT NULL DEFAULT 0,
    erased_at        INTEGER NOT NULL DEFAULT 0,
    gone_rows        INTEGER NOT NULL DEFAULT 0,
    gone_passages    INTEGER NOT NULL DEFAULT 0,
    gone_sources     INTEGER NOT NULL DEFAULT 0,
    gone_entities    INTEGER NOT NULL DEFAULT 0,
    lease_owner      TEXT,
    lease_until      INTEGER
) STRICT;

-- One that is `open` has one chunk, which is open too: messages of a conversation are journalled into it as they come. It is closed
-- (and then pending, as any other) by their number, or when nothing came until `closes_at`.
CREATE TABLE batches (
    id              TEXT PRIMARY KEY,
    space           INTEGER NOT NULL REFERENCES users (space),
    agent_id        TEXT,
    session_id      TEXT,
    status          TEXT NOT NULL CHECK (status IN ('open', 'pending', 'done', 'failed')),
    created_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    infer           INTEGER NOT NULL,
    options         TEXT NOT NULL,                  -- JSON: metadata, expires_at, instructions, retells, talk, dropped
    idempotency_key TEXT,                           -- of a batch that was erased, an HMAC of it
    digest          TEXT NOT NULL,                  -- of the request: an identical batch that is still pending is the same
    redacted        TEXT NOT NULL DEFAULT '[]',
    attempts        INTEGER NOT NULL DEFAULT 0,
    error           TEXT,                           -- the name of the last failure
    lease_owner     TEXT,
    lease_until     INTEGER,
    closes_at       INTEGER                         -- of an open one; NULL = never by itself
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX batches_by_key ON batches (space, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX batches_unfinished ON batches (created_at) WHERE status <> 'done';
CREATE INDEX batches_unfinished_by_session ON batches (space, session_id) WHERE status = 'open';
CREATE INDEX batches_unfinished_by_digest ON batches (space, digest) WHERE status <> 'done';

-- The numbers of its turns are those from `first_turn` to `last_turn`, but for erased ones. An open one has those taken that it
-- may still need, so that its turns are one run whatever else the user says meanwhile; closed, it leaves the rest unused.
CREATE TABLE chunks (
    batch_id     TEXT NOT NULL REFERENCES batches (id),
    n            INTEGER NOT NULL,                  -- from 0, in order
    space        INTEGER NOT NULL,
    first_turn   INTEGER NOT NULL,
    last_turn    INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'closed', 'extracted', 'committed')),
    committed    INTEGER,                           -- the user's number
    model        TEXT,
    prompt_id    TEXT,
    erased       INTEGER NOT NULL DEFAULT 0,        -- turns of it that were erased
    PRIMARY KEY (batch_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE turns (
    space      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    id         TEXT NOT NULL UNIQUE,
    batch_id   TEXT NOT NULL,
    agent_id   TEXT,
    session_id TEXT,
    role       TEXT NOT NULL,
    name       TEXT,
    content    TEXT NOT NULL,
    said_at    INTEGER NOT NULL,
    utc_offset INTEGER NOT NULL DEFAULT 0,          -- minutes that the speaker's own clock is ahead
    dated      INTEGER NOT NULL,
    metadata   TEXT NOT NULL DEFAULT '{}',
    passage    INTEGER,                             -- set when its chunk is committed
    committed  INTEGER,
    blanked    INTEGER NOT NULL DEFAULT 0,          -- an erasure took a quote out of it
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_by_session ON turns (space, session_id, number);
CREATE INDEX turns_by_passage ON turns (space, passage) WHERE passage IS NOT NULL;
CREATE INDEX turns_by_batch ON turns (batch_id);

-- Verified facts that await their decision: the payload is the fact as JSON.
CREATE TABLE facts (
    batch_id TEXT NOT NULL,
    chunk    INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    payload  TEXT NOT NULL,
    PRIMARY KEY (batch_id, chunk, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejected (
    batch_id TEXT NOT NULL,
    chunk    INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    text     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (batch_id, chunk, n)
) STRICT, WITHOUT ROWID;

-- What was paid, per call to a model.
CREATE TABLE calls (
    id            INTEGER PRIMARY KEY,
    batch_id      TEXT NOT NULL,
    chunk         INTEGER NOT NULL,
    purpose       TEXT NOT NULL,
    at            INTEGER NOT NULL,
    llm_calls     INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_usd      REAL
) STRICT;
CREATE INDEX calls_by_batch ON calls (batch_id, chunk);
CREATE INDEX calls_by_time ON calls (at);

-- What is searched: a statement's or a turn's text, as unit vector (little-endian float32; NULL = embedding pending) and
-- term counts (JSON). `revised` is the user's number at which it last changed.
CREATE TABLE passages (
    space   INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('statement', 'turn')),
    vector  BLOB,
    terms   TEXT NOT NULL,
    revised INTEGER NOT NULL,
    PRIMARY KEY (space, number)
) STRICT;                                           -- with rowids: large rows would spill over to pages of their own
CREATE INDEX passages_by_revision ON passages (space, revised);
CREATE INDEX passages_pending ON passages (space, number) WHERE vector IS NULL;

-- New vectors of a reembed under way, beside the old ones until all are there. `store` names their embedder ('reembedding')
-- and who is at it ('reembedding_lease'). What removes or rewords a passage takes its new vector with it.
CREATE TABLE reembedded (
    space   INTEGER NOT NULL,
    passage INTEGER NOT NULL,
    vector  BLOB NOT NULL,
    PRIMARY KEY (space, passage)
) STRICT;                                           -- with rowids, as passages

-- The unchanging content of memory rows. Its number is that of its passage.
CREATE TABLE statements (
    space           INTEGER NOT NULL,
    number          INTEGER NOT NULL,
    text            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    subject         TEXT,
    attribute       TEXT,
    many            INTEGER NOT NULL DEFAULT 0,
    value           TEXT,
    event_from      INTEGER,
    event_to        INTEGER,
    event_precision TEXT,
    source          TEXT NOT NULL,
    slot_key        TEXT,                           -- casefolded subject and attribute
    text_key        TEXT NOT NULL,                  -- casefolded text: live rows are unique by it and the event interval
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX statements_by_text ON statements (space, text_key);
CREATE INDEX statements_by_slot ON statements (space, slot_key) WHERE slot_key IS NOT NULL;

-- Versions of memories: immutable but for `retired`. valid_to and retired: NULL = open.
CREATE TABLE memory_rows (
    space      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    memory_id  TEXT NOT NULL,
    statement  INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER,
    recorded   INTEGER NOT NULL,
    retired    INTEGER,
    metadata   TEXT NOT NULL,
    expires_at INTEGER,
    quarantined INTEGER NOT NULL DEFAULT 0,         -- put aside for a review: takes part in nothing, is never served
    restores   INTEGER,
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_rows_by_memory ON memory_rows (memory_id);
CREATE INDEX memory_rows_by_recorded ON memory_rows (space, recorded);
CREATE INDEX memory_rows_by_retired ON memory_rows (space, retired) WHERE retired IS NOT NULL;
CREATE INDEX memory_rows_by_statement ON memory_rows (space, statement);
CREATE INDEX memory_rows_quarantined ON memory_rows (space, number) WHERE quarantined = 1 AND retired IS NULL;

-- Quotes behind a statement. They come and go with changes, like rows. `echo`: it only says again what is remembered, and is no
-- evidence of it, but what befalls the memory befalls its turn.
CREATE TABLE sources (
    space     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    statement INTEGER NOT NULL,
    turn      INTEGER NOT NULL,
    quote     TEXT NOT NULL,
    added     INTEGER NOT NULL,
    retired   INTEGER,
    echo      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX sources_by_statement ON sources (space, statement);
CREATE INDEX sources_by_turn ON sources (space, turn);
CREATE INDEX sources_by_added ON sources (space, added);
CREATE INDEX sources_by_retired ON sources (space, retired) WHERE retired IS NOT NULL;

-- Turns taken out of search: by change `added`, until change `retired`. `origin`: the change that first hid the turn.
CREATE TABLE hidings (
    space   INTEGER NOT NULL,
    turn    INTEGER NOT NULL,
    added   INTEGER NOT NULL,
    origin  INTEGER NOT NULL,
    retired INTEGER,
    PRIMARY KEY (space, turn, added)
) STRICT, WITHOUT ROWID;
CREATE INDEX hidings_by_added ON hidings (space, added);
CREATE INDEX hidings_by_retired ON hidings (space, retired) WHERE retired IS NOT NULL;

-- The history. What a change inserted and retired is found by its number.
CREATE TABLE changes (
    space         INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    id            TEXT NOT NULL UNIQUE,
    op            TEXT NOT NULL CHECK (op IN ('ADD', 'UPDATE', 'DELETE', 'NONE')),
    memory_id     TEXT,
    row           INTEGER,                          -- the version that it brought, ended or kept
    previous_text TEXT,
    also_ended    TEXT NOT NULL DEFAULT '[]',       -- JSON: texts of further targets
    reason        TEXT NOT NULL,
    flag          TEXT,
    batch_id      TEXT,
    chunk         INTEGER,
    recorded_at   INTEGER NOT NULL,
    actor         TEXT,
    model         TEXT,
    prompt_id     TEXT,
    undoes        TEXT,
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_memory ON changes (memory_id) WHERE memory_id IS NOT NULL;
CREATE INDEX changes_by_batch ON changes (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX changes_by_time ON changes (space, recorded_at);
CREATE INDEX changes_by_undoes ON changes (undoes) WHERE undoes IS NOT NULL;

CREATE TABLE entities (
    space  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name   TEXT NOT NULL,                           -- as first written
    key    TEXT NOT NULL,                           -- casefolded
    kind   TEXT NOT NULL,
    PRIMARY KEY (space, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entities_by_key ON entities (space, key);

CREATE TABLE mentions (
    space     INTEGER NOT NULL,
    statement INTEGER NOT NULL,
    entity    INTEGER NOT NULL,
    PRIMARY KEY (space, statement, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_entity ON mentions (space, entity);

CREATE TABLE relations (
    space     INTEGER NOT NULL,
    statement INTEGER NOT NULL,
    subject   INTEGER NOT NULL,
    predicate TEXT NOT NULL,
    object    INTEGER NOT NULL,
    PRIMARY KEY (space, statement, subject, predicate, object)
) STRICT, WITHOUT ROWID;

-- That two entities are one (`same`), or two, by a caller's word, `one` < `other`: from change `added` until change `retired`.
-- `origin`: the change that first said so. What follows from facts is not here: it is worked out of them.
CREATE TABLE identities (
    space   INTEGER NOT NULL,
    one     INTEGER NOT NULL,
    other   INTEGER NOT NULL,
    same    INTEGER NOT NULL,
    added   INTEGER NOT NULL,
    origin  INTEGER NOT NULL,
    retired INTEGER,
    PRIMARY KEY (space, one, other, added)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_by_added ON identities (space, added);
CREATE INDEX identities_by_retired ON identities (space, retired) WHERE retired IS NOT NULL;

-- HMACs of erased turn texts; effective for messages dated before `before`.
CREATE TABLE tombstones (
    space  INTEGER NOT NULL,
    digest TEXT NOT NULL,
    before INTEGER NOT NULL,
    PRIMARY KEY (space, digest)
) STRICT, WITHOUT ROWID;

-- A digest of each row with content or history, by its table and key: what SQLite does not notice, a flipped bit in a text or
-- a row that vanished, `verify` does. Kept by triggers of the connection that writes (`seals.py`).
CREATE TABLE seals (
    space  INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    key    ANY NOT NULL,
    seal   BLOB NOT NULL,
    PRIMARY KEY (space, sealed, key)
) STRICT, WITHOUT ROWID;

-- What the query planner shall think of every table: a million rows, ten thousand of a user, few of whatever comes next in an
-- index. Without it SQLite walks through all of a user's rows in the order of the primary key, past every index.
ANALYZE;
INSERT INTO sqlite_stat1 (tbl, idx, stat)
    SELECT tbl, iif(origin = 'pk' AND clustered, tbl, idx), iif(idx LIKE '%unfinished%', '100', '1000000') || group_concat(iif(col = 'space', ' 10000', ' 4'), '')
    FROM (
        SELECT t.name AS tbl, t.sql LIKE '%WITHOUT ROWID%' AS clustered, i.name AS idx, i.origin AS origin, c.name AS col
        FROM sqlite_schema t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, i.name, c.seqno
    ) GROUP BY tbl, idx;
ANALYZE sqlite_schema;
