"""The journal's half of the ledger: batches, chunks, turns and extracted facts, safe on disk before any model is called."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime

from ..errors import Erased, LeaseLost, NotFound, StoreCorrupt
from ..ids import new_id
from ..model import Fact, Message, Scope, Turn, Usage
from ..owners import is_gone
from ..records import (
    Batch,
    BatchStatus,
    ChunkRecord,
    Extracted,
    JournalledChunk,
    Lease,
    NewBatch,
    NewTurns,
    PaidChunk,
    Space,
)
from ..times import from_micros, maybe_micros, maybe_time, now, offset_minutes, to_micros
from .codec import dump, dump_fact, load_fact, space_name, turn, user_of
from .database import Database
from .tombstones import buried, erased_key, erased_name

CONTEXT_TURNS = 4
# Batches of one moment are what a user said in one call, cut into several: in the order in which it was said.
IN_ORDER = "ORDER BY created_at, (SELECT c.first_turn FROM chunks c WHERE c.batch_id = batches.id AND c.n = 0)"
LATE_CALLS = 20_000  # among which chunks are looked for that were paid of late: a store may have millions
CHUNK = (  # an open one reaches as far as its turns do, not as far as the numbers that are taken for it
    "n, first_turn, state, erased, iif(state = 'open', (SELECT max(t.number) FROM turns t WHERE t.space = chunks.space"
    " AND t.number BETWEEN chunks.first_turn AND chunks.last_turn), last_turn) AS last_turn"
)
_RETELLABLE = """
    SELECT t.number, coalesce(t.session_id, t.batch_id) AS talk, t.agent_id, t.metadata,
      json_extract(b.options, '$.expires_at') AS expires_at FROM turns t JOIN batches b ON b.id = t.batch_id
    WHERE t.space = :space AND t.passage IS NOT NULL AND b.infer = 1
      AND NOT EXISTS (SELECT 1 FROM hidings h WHERE h.space = t.space AND h.turn = t.number AND h.retired IS NULL)
      AND NOT EXISTS (
        SELECT 1 FROM sources s JOIN memory_rows r ON r.space = s.space AND r.statement = s.statement
        JOIN changes c ON c.space = r.space AND c.number = r.retired
        WHERE s.space = t.space AND s.turn = t.number AND c.undoes IS NULL
          AND NOT EXISTS (SELECT 1 FROM batches own WHERE own.id = c.batch_id)
          AND NOT EXISTS (
            SELECT 1 FROM changes u WHERE u.space = c.space AND u.undoes = c.id
              AND NOT EXISTS (SELECT 1 FROM changes v WHERE v.space = u.space AND v.undoes = u.id)))
    ORDER BY t.number
"""

_OF_STEP = """
    sum(iif({where}, c.llm_calls, 0)) AS {step}_calls, sum(iif({where}, c.input_tokens, 0)) AS {step}_read,
    sum(iif({where}, c.output_tokens, 0)) AS {step}_written,
    iif(count(iif({where} AND c.cost_usd IS NULL, 1, NULL)), NULL, total(iif({where}, c.cost_usd, 0))) AS {step}_cost
"""
_PAID = f"""
    SELECT k.batch_id, k.n,
      {", ".join(_OF_STEP.format(step=step, where=f"c.purpose = '{step}'") for step in ("extract", "reconcile"))}
    FROM (
      SELECT DISTINCT batch_id, chunk FROM calls NOT INDEXED WHERE id > (SELECT max(id) FROM calls) - {LATE_CALLS}
    ) late CROSS JOIN chunks k ON k.batch_id = late.batch_id AND k.n = late.chunk JOIN batches b ON b.id = k.batch_id
    JOIN calls c ON c.batch_id = k.batch_id AND c.chunk = k.n
    WHERE k.state = 'committed' AND k.erased = 0 AND k.model = :model AND k.prompt_id = :prompt_id AND b.infer = 1
      AND NOT coalesce(json_extract(b.options, '$.retells'), 0)
      AND json_extract(b.options, '$.instructions') IS :instructions
    GROUP BY k.batch_id, k.n ORDER BY max(c.id) DESC LIMIT :limit
"""
# The history has a change for each fact, and one where a turn only says again what is remembered (`writing/repeats.py`). A memory
# is told in a line (`writing/reconcile.py`): number and date, slot, event, whose word it is, and its text.
_MADE = """
    SELECT count(*) AS facts, coalesce(sum(18 + length(s.text) + iif(s.event_from IS NULL, 0, 21)
      + iif(s.source = 'user', 0, 20) + coalesce(length(s.subject) + length(s.attribute) + 5, 0)), 0) AS characters
    FROM changes h JOIN memory_rows r ON r.space = h.space AND r.number = h.row
    JOIN statements s ON s.space = r.space AND s.number = r.statement
    WHERE h.batch_id = ? AND h.chunk = ? AND h.undoes IS NULL AND h.reason NOT LIKE 'said again by the %'
"""


class SqliteJournal:
    """Implements `ports.Journal` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_batch(self, new: NewBatch, lease: Lease | None = None) -> tuple[Batch, bool]:
        """Journal a batch with its turns, leased where that is asked for. `(batch, True)` when it is an earlier one, with the
        same idempotency key, or identical and still pending: that one is not leased. Messages that were erased before are left
        out, unless they are allowed; a batch of no others is done at once."""
        with self._database.write() as db:
            space = ensure_space(db, new.scope.user_id)
            if earlier := find_earlier(db, space, new):
                return load_batch(db, earlier), True
            gone = set() if new.allow_erased else buried(db, space, new.messages, new.received_at)
            left = len(new.messages) > len(gone)
            held = lease if left else None
            key = new.idempotency_key
            if not left:  # nothing of it is taken in, and so nothing that came with it
                new = bare(new)
                key = key and erased_key(db, space, key)
            batch_id = new_id("batch")
            db.execute(
                "INSERT INTO batches (id, space, agent_id, session_id, status, created_at, infer, options,"
                " idempotency_key, digest, redacted, lease_owner, lease_until)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    batch_id,
                    space,
                    new.scope.agent_id,
                    new.scope.session_id,
                    "pending" if left else "done",
                    to_micros(new.received_at),
                    new.infer,
                    dump({**options_of(new), "dropped": len(gone)} if gone else options_of(new)),
                    key,
                    new.digest,
                    dump(new.redacted),
                    held and held.owner,
                    held and to_micros(held.until),
                ),
            )
            insert_turns(db, space, batch_id, new, gone)
            return load_batch(db, batch_id), False

    def earlier(self, space: Space, idempotency_key: str) -> Batch | None:
        """The user's batch of that key, of which all may be erased by now; None where there is none."""
        with self._database.read() as db:
            batch_id = find_by_key(db, space, idempotency_key)
            return None if batch_id is None else load_batch(db, batch_id)

    def last_turn(self, space: Space) -> int:
        """The number of the user's last turn; 0 where there is none."""
        with self._database.read() as db:
            return int(db.execute("SELECT last_turn FROM users WHERE space = ?", (space,)).fetchone()["last_turn"])

    def retellable(self, space: Space) -> list[tuple[int, int]]:
        """Runs (first, last) of the user's turns that may be extracted anew, each of one session (or batch) and added alike.

        Turns that were hidden, that were stored whole, or behind what the caller corrected or deleted are left as they are.
        """
        with self._database.read() as db:
            return _retellable(db, space)

    def open_retelling(
        self,
        space: Space,
        cut: Callable[[int, int], Sequence[tuple[int, int]]],
        instructions: str | None,
        at: datetime,
    ) -> tuple[Batch, bool]:
        """Journal a batch whose chunks are the turns that may be extracted anew, their runs `cut` into chunks; done at once where
        there are none. `(batch, True)` when one of the user's is under way."""
        with self._database.write() as db:
            earlier = db.execute(
                "SELECT id FROM batches WHERE space = ? AND status <> 'done' AND json_extract(options, '$.retells')",
                (space,),
            ).fetchone()
            if earlier is not None:
                return load_batch(db, earlier["id"]), True
            spans = [part for run in _retellable(db, space) for part in cut(*run)]
            batch_id = new_id("batch")
            options: dict[str, object] = {
                "metadata": {},
                "expires_at": None,
                "instructions": instructions,
                "retells": True,
            }
            db.execute(
                "INSERT INTO batches (id, space, status, created_at, infer, options, digest) VALUES (?, ?, ?, ?, 1, ?, '')",
                (batch_id, space, "pending" if spans else "done", to_micros(at), dump(options)),
            )
            db.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, 'closed', NULL, NULL, NULL, 0)",
                [(batch_id, n, space, first, last) for n, (first, last) in enumerate(spans)],
            )
            return load_batch(db, batch_id), False

    def batch(self, batch_id: str) -> Batch:
        """Raises NotFound."""
        with self._database.read() as db:
            return load_batch(db, batch_id)

    def unfinished(self, *statuses: BatchStatus, space: Space | None = None) -> list[Batch]:
        """Batches that are not done, of these statuses, oldest first: a user's, or all."""
        whose, values = ("", ()) if space is None else ("space = ? AND ", (space,))
        query = f"SELECT id FROM batches WHERE {whose}status <> 'done' AND status IN ({','.join('?' * len(statuses))})"
        with self._database.read() as db:
            found = db.execute(f"{query} {IN_ORDER}", (*values, *statuses)).fetchall()
            return [load_batch(db, row["id"]) for row in found]

    def lease(self, batch_id: str, lease: Lease, now: datetime) -> bool:
        """Take a batch, or keep it; False where somebody else, who is still there, holds it, or it is done, or open."""
        with self._database.write(durable=False) as db:
            held = db.execute("SELECT lease_owner FROM batches WHERE id = ?", (batch_id,)).fetchone()
            killed = held["lease_owner"] if held and held["lease_owner"] and is_gone(held["lease_owner"]) else None
            taken = db.execute(
                "UPDATE batches SET lease_owner = ?, lease_until = ? WHERE id = ? AND status NOT IN ('done', 'open')"
                " AND (lease_owner IS NULL OR lease_owner IN (?, ?) OR lease_until < ?)",
                (lease.owner, to_micros(lease.until), batch_id, lease.owner, killed, to_micros(now)),
            )
            return taken.rowcount == 1

    def release(self, batch_id: str, owner: str, error: str | None, max_attempts: int | None) -> None:
        """Give a lease of `owner`'s back; one that was lost is not his to give. At `max_attempts` that are counted the batch is
        `failed`; None: this one is not counted."""
        counted = max_attempts is not None
        with self._database.write(durable=False) as db:
            db.execute(
                "UPDATE batches SET lease_owner = NULL, lease_until = NULL, error = ?, attempts = attempts + ?,"
                " status = CASE WHEN ? AND status = 'pending' AND attempts + 1 >= ? THEN 'failed' ELSE status END"
                " WHERE id = ? AND lease_owner = ?",
                (error, counted, counted, max_attempts, batch_id, owner),
            )

    def release_all(self, owner: str) -> None:
        """Give back what `owner` still holds."""
        with self._database.read() as db:
            held = db.execute("SELECT id FROM batches WHERE status <> 'done' AND lease_owner = ?", (owner,)).fetchall()
        if held:
            with self._database.write() as db:
                db.execute("UPDATE batches SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = ?", (owner,))

    def chunk(self, batch_id: str, n: int) -> JournalledChunk:
        """A chunk's turns, the turns of its session before them, and its facts where they are extracted already.

        Raises Erased where none of its turns is left."""
        with self._database.read() as db:
            return load_chunk(db, batch_id, n)

    def turn_ids(self, batch_id: str) -> list[str]:
        """The ids of a batch's turns, in order."""
        with self._database.read() as db:
            rows = db.execute("SELECT id FROM turns WHERE batch_id = ? ORDER BY number", (batch_id,))
            return [row["id"] for row in rows]

    def store_facts(self, batch_id: str, n: int, extracted: Extracted, erased_at: int) -> None:
        """Journal what call 1 gave, so that it is never paid again. Where another process was faster, its facts stand.

        Raises Erased or LeaseLost where something of the user was erased since the chunk was read: see `check_erased`."""
        with self._database.write(durable=False) as db:
            check_erased(db, batch_id, n, erased_at)
            insert_call(db, batch_id, n, "extract", extracted.usage)
            moved = db.execute(
                "UPDATE chunks SET state = 'extracted', model = ?, prompt_id = ?"
                " WHERE batch_id = ? AND n = ? AND state = 'closed'",
                (extracted.model, extracted.prompt_id, batch_id, n),
            )
            if not moved.rowcount:
                return
            db.executemany(
                "INSERT INTO facts VALUES (?, ?, ?, ?)",
                [(batch_id, n, i, dump_fact(fact)) for i, fact in enumerate(extracted.facts)],
            )
            db.executemany(
                "INSERT INTO rejected VALUES (?, ?, ?, ?, ?)",
                [(batch_id, n, i, one.text, one.reason) for i, one in enumerate(extracted.rejected)],
            )

    def record_usage(self, batch_id: str, n: int, purpose: str, usage: Usage) -> None:
        """Count what a step cost that came to nothing."""
        with self._database.write(durable=False) as db:
            insert_call(db, batch_id, n, purpose, usage)

    def rejected(self, batch_id: str) -> list[tuple[str, str]]:
        """(text, reason) of a batch's rejected facts, in order."""
        with self._database.read() as db:
            rows = db.execute("SELECT text, reason FROM rejected WHERE batch_id = ? ORDER BY chunk, n", (batch_id,))
            return [(row["text"], row["reason"]) for row in rows]

    def usage(self, batch_id: str) -> list[tuple[int, int, int, float | None]]:
        """(calls, input tokens, output tokens, cost) of everything that was paid for a batch."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT llm_calls, input_tokens, output_tokens, cost_usd FROM calls WHERE batch_id = ?", (batch_id,)
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows]

    def paid(self, model: str, prompt_id: str, instructions: str | None, limit: int) -> list[PaidChunk]:
        """The last chunks, of all users, that a model read by that prompt and with those instructions, the latest first. Those
        of which something was erased tell nothing, nor do those that were told anew."""
        wanted = {"model": model, "prompt_id": prompt_id, "instructions": instructions, "limit": limit}
        with self._database.read() as db:
            return [_paid(db, row) for row in db.execute(_PAID, wanted).fetchall()]


def _retellable(db: sqlite3.Connection, space: Space) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    of_run: tuple[object, ...] = ()
    for number, *added in map(tuple, db.execute(_RETELLABLE, {"space": space})):
        if runs and runs[-1][1] == number - 1 and of_run == tuple(added):
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
        of_run = tuple(added)
    return runs


def _paid(db: sqlite3.Connection, row: sqlite3.Row) -> PaidChunk:
    """A row of `_PAID`, with the chunk and what came of it."""
    made = db.execute(_MADE, (row["batch_id"], row["n"])).fetchone()
    extracting, deciding = (
        Usage(*(row[f"{step}_{of}"] for of in ("calls", "read", "written", "cost")))
        for step in ("extract", "reconcile")
    )
    chunk = load_chunk(db, row["batch_id"], row["n"])
    return PaidChunk(chunk, made["facts"], made["characters"], extracting, deciding)


def erased_at_of(db: sqlite3.Connection, batch_id: str) -> int:
    """The last erasure of a batch's user."""
    query = "SELECT u.erased_at FROM batches b JOIN users u USING (space) WHERE b.id = ?"
    return int(db.execute(query, (batch_id,)).fetchone()["erased_at"])


def check_erased(db: sqlite3.Connection, batch_id: str, n: int, erased_at: int) -> None:
    """The fence of an erasure: what was made of turns that were read before it may have words of what it took. Raises Erased
    where nothing of the chunk is left; LeaseLost where it is to be made anew of what is."""
    if erased_at_of(db, batch_id) == erased_at:
        return
    chunk = db.execute("SELECT * FROM chunks WHERE batch_id = ? AND n = ?", (batch_id, n)).fetchone()
    if chunk is None or chunk["state"] == "committed":
        raise Erased("what was being added was erased meanwhile")
    raise LeaseLost("something of the user was erased meanwhile: it is made anew", batch_id=batch_id)


def insert_call(db: sqlite3.Connection, batch_id: str, n: int, purpose: str, usage: Usage) -> None:
    """What was paid in one step of a chunk."""
    db.execute(
        "INSERT INTO calls (batch_id, chunk, purpose, at, llm_calls, input_tokens, output_tokens, cost_usd)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            batch_id,
            n,
            purpose,
            to_micros(now()),
            usage.llm_calls,
            usage.input_tokens,
            usage.output_tokens,
            usage.cost_usd,
        ),
    )


def ensure_space(db: sqlite3.Connection, user_id: str | None) -> Space:
    """A user's key, made when new."""
    name = space_name(user_id)
    found = db.execute("SELECT space FROM users WHERE name = ?", (name,)).fetchone()
    if found is None:  # one who was erased is back, in the same place: what was erased is still known again
        found = db.execute(
            "UPDATE users SET name = ? WHERE name = ? RETURNING space", (name, erased_name(db, name))
        ).fetchone()
    if found is None:
        found = db.execute("INSERT INTO users (name) VALUES (?) RETURNING space", (name,)).fetchone()
    return Space(found["space"])


def find_earlier(db: sqlite3.Connection, space: Space, new: NewBatch) -> str | None:
    """The id of the batch that `new` repeats."""
    if new.idempotency_key is not None:
        return find_by_key(db, space, new.idempotency_key, erased=not new.allow_erased)
    row = db.execute(  # (what is prefixed with + is kept from the index of keys, of which most are NULL)
        "SELECT id FROM batches WHERE space = ? AND digest = ? AND status <> 'done' AND +idempotency_key IS NULL",
        (space, new.digest),
    ).fetchone()
    return None if row is None else row["id"]


def find_by_key(db: sqlite3.Connection, space: Space, key: str, *, erased: bool = True) -> str | None:
    """The id of the batch of an idempotency key; `erased`: or of one that was erased, whose key it was."""
    keys = [key, erased_key(db, space, key)] if erased else [key, key]
    query = "SELECT id FROM batches WHERE space = ? AND idempotency_key IN (?, ?) ORDER BY idempotency_key <> ?"
    row = db.execute(query, (space, *keys, key)).fetchone()
    return None if row is None else row["id"]


def bare(new: NewBatch) -> NewBatch:
    """A call of which nothing is kept but that it was made."""
    scope = Scope(new.scope.user_id)
    return replace(new, scope=scope, metadata={}, expires_at=None, instructions=None, digest="", redacted=())


def options_of(new: NewBatch) -> dict[str, object]:
    """What a batch must remember of its call."""
    return {
        "metadata": dict(new.metadata),
        "expires_at": maybe_micros(new.expires_at),
        "instructions": new.instructions,
        **({"successive": True} if new.successive else {}),
    }


def insert_turns(db: sqlite3.Connection, space: Space, batch_id: str, new: NewBatch, gone: Set[int]) -> None:
    """The batch's turns, without those that are `gone`, under the user's next numbers, and its chunks over them."""
    messages = [message for place, message in enumerate(new.messages) if place not in gone]
    row = db.execute(
        "UPDATE users SET last_turn = last_turn + ? WHERE space = ? RETURNING last_turn", (len(messages), space)
    ).fetchone()
    first = row["last_turn"] - len(messages) + 1
    insert_messages(db, space, batch_id, new, messages, first)
    db.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, 'closed', NULL, NULL, NULL, 0)",
        spans(batch_id, space, first, sizes_without(new.sizes, gone)),
    )


def insert_messages(
    db: sqlite3.Connection,
    space: Space,
    batch_id: str,
    new: NewBatch | NewTurns,
    messages: Sequence[Message],
    first: int,
) -> None:
    """Messages of a call as turns, numbered from `first` on."""
    metadata = dump(dict(new.metadata))
    db.executemany(
        "INSERT INTO turns (space, number, id, batch_id, agent_id, session_id, role, name, content, said_at,"
        " utc_offset, dated, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                space,
                first + i,
                new_id("turn"),
                batch_id,
                new.scope.agent_id,
                new.scope.session_id,
                message.role.value,
                message.name,
                message.content,
                to_micros(message.timestamp or new.received_at),
                offset_minutes(message.timestamp or new.received_at),
                message.timestamp is not None,
                metadata,
            )
            for i, message in enumerate(messages)
        ],
    )


def sizes_without(sizes: Iterable[int], gone: Set[int]) -> list[int]:
    """The sizes of chunks from which the messages at these places are left out; none is empty."""
    left, first = [], 0
    for size in sizes:
        left.append(size - sum(first <= place < first + size for place in gone) if gone else size)
        first += size
    return [size for size in left if size]


def spans(batch_id: str, space: Space, first: int, sizes: Iterable[int]) -> list[tuple[str, int, int, int, int]]:
    """(batch, n, space, first turn, last turn) of each chunk."""
    found = []
    for n, size in enumerate(sizes):
        found.append((batch_id, n, int(space), first, first + size - 1))
        first += size
    return found


def load_batch(db: sqlite3.Connection, batch_id: str, n: int | None = None) -> Batch:
    """A batch with its chunks, or with that one alone. Raises NotFound."""
    row = db.execute("SELECT * FROM batches JOIN users USING (space) WHERE id = ?", (batch_id,)).fetchone()
    if row is None:
        raise NotFound("batch", batch_id)
    options = json.loads(row["options"])
    only = "" if n is None else " AND n = ?"
    wanted = (batch_id,) if n is None else (batch_id, n)
    chunks = db.execute(f"SELECT {CHUNK} FROM chunks WHERE batch_id = ?{only} ORDER BY n", wanted).fetchall()
    return Batch(
        id=batch_id,
        space=Space(row["space"]),
        scope=Scope(user_of(row["name"]), row["agent_id"], row["session_id"]),
        status=row["status"],
        created_at=from_micros(row["created_at"]),
        infer=bool(row["infer"]),
        metadata=options["metadata"],
        expires_at=maybe_time(options["expires_at"]),
        instructions=options["instructions"],
        redacted=tuple((kind, message) for kind, message in json.loads(row["redacted"])),
        attempts=row["attempts"],
        error=row["error"],
        chunks=tuple(
            ChunkRecord(one["n"], one["first_turn"], one["last_turn"], one["state"], one["erased"]) for one in chunks
        ),
        retells=options.get("retells", False),
        talk=options.get("talk", False),
        dropped=options.get("dropped", 0),
        successive=options.get("successive", False),
    )


def load_chunk(db: sqlite3.Connection, batch_id: str, n: int) -> JournalledChunk:
    """A chunk of a batch. Raises Erased where none of its turns is left."""
    batch = load_batch(db, batch_id, n)
    record = batch.chunks[0]
    erased_at = erased_at_of(db, batch_id)
    turns = turns_of(db, batch, record)
    facts = journalled_facts(db, batch_id, n) if record.state in ("extracted", "committed") else None
    context = context_before(db, turns[0], batch.space, facts is None)
    origin = load_batch(db, turns[0].batch_id, 0) if batch.retells else batch
    return JournalledChunk(record, turns, context, facts, origin.metadata, origin.expires_at, erased_at)


def turns_of(db: sqlite3.Connection, batch: Batch, chunk: ChunkRecord) -> tuple[Turn, ...]:
    """The turns of a chunk that are there. Raises Erased where none is left."""
    rows = db.execute(
        "SELECT * FROM turns WHERE space = ? AND number BETWEEN ? AND ? ORDER BY number",
        (batch.space, chunk.first_turn, chunk.last_turn),
    ).fetchall()
    if len(rows) != chunk.turns:
        raise StoreCorrupt("turns of a journalled chunk are missing")
    if not rows:
        raise Erased("what was being added was erased")
    return tuple(turn(row, batch.scope.user_id) for row in rows)


def context_before(db: sqlite3.Connection, first: Turn, space: Space, visible: bool) -> tuple[Turn, ...]:
    """The last turns of its session before the turn `first`, in order. Without a session, those of the same batch.

    `visible`: without those taken out of search; nothing new is learnt from them. Facts that are extracted may cite them.
    """
    same = "batch_id = ?" if first.scope.session_id is None else "session_id = ?"
    shown = (
        " AND NOT EXISTS (SELECT 1 FROM hidings h WHERE h.space = t.space AND h.turn = t.number AND h.retired IS NULL)"
    )
    rows = db.execute(
        f"SELECT * FROM turns t WHERE space = ? AND {same} AND number < ?{shown if visible else ''}"
        " ORDER BY number DESC LIMIT ?",
        (space, first.scope.session_id or first.batch_id, first.number, CONTEXT_TURNS),
    ).fetchall()
    return tuple(turn(row, first.scope.user_id) for row in reversed(rows))


def journalled_facts(db: sqlite3.Connection, batch_id: str, n: int) -> tuple[Fact, ...]:
    """A chunk's facts, in order."""
    rows = db.execute("SELECT payload FROM facts WHERE batch_id = ? AND chunk = ? ORDER BY n", (batch_id, n))
    return tuple(load_fact(row["payload"]) for row in rows)
