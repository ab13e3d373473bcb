"""Taking out of the ledger what an erasure planned, in one transaction, and then out of the bytes of its files.

SQLite blanks deleted cells and pages (`secure_delete`), but leaves what it copied from one page to another when a tree was
balanced, and the log keeps older pages. So after the commit the file is written anew and the log is cut to nothing. That this is
still to do is recorded with the commit (`erasing` in `store`): whoever opens the store next goes on where a kill came between.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from ..errors import Erased, StorageError
from ..failpoints import reach
from ..ports import Tokenizer
from ..records import ERASED, History, Removal, SaidTurn, Space, UserState
from ..times import maybe_micros, to_micros
from . import codec
from .database import Database
from .sqlite_audit import line
from .sqlite_ledger import (
    every_change,
    every_row,
    every_source,
    insert_changes,
    insert_hidings,
    insert_rows,
    retire_rows,
)
from .sqlite_talks import close_open
from .tombstones import ERASED as BURIED
from .tombstones import bury, erased_key, erased_name

ERASING = "erasing"  # setting of the store
_BARE: dict[str, object] = {"metadata": {}, "expires_at": None, "instructions": None}
_WORDS = (
    "SELECT number, text || ' ' || coalesce(subject, '') || ' ' || coalesce(attribute, '') || ' ' || coalesce(value, '')"
    " || ' ' || coalesce((SELECT group_concat(e.name, ' ') FROM mentions n JOIN entities e ON e.space = n.space"
    " AND e.number = n.entity WHERE n.space = m.space AND n.statement = m.number), '')"
    " || ' ' || coalesce((SELECT group_concat(r.predicate, ' ') FROM relations r"
    " WHERE r.space = m.space AND r.statement = m.number), '') AS words FROM statements m WHERE space = ?"
)
_NAMES = (
    "SELECT n.statement, n.entity, e.name FROM mentions n JOIN entities e ON e.space = n.space AND e.number = n.entity"
    " WHERE n.space = ?"
)
_TURNS = (
    "SELECT t.*, json_extract(b.options, '$.expires_at') AS expires_at FROM turns t LEFT JOIN batches b ON b.id = t.batch_id"
    " WHERE t.space = ? ORDER BY t.number"
)
_DUE = (
    "SELECT space FROM turns WHERE said_at < :before"
    " UNION SELECT space FROM memory_rows WHERE expires_at <= :expired"
    " UNION SELECT space FROM batches b WHERE json_extract(options, '$.expires_at') <= :expired"
    " AND EXISTS (SELECT 1 FROM turns t WHERE t.batch_id = b.id) ORDER BY space"
)
_EMPTY = "erased = last_turn - first_turn + 1"
_ALL_EMPTY = (
    "EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = b.id)"
    f" AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = b.id AND NOT {_EMPTY})"
)


class SqliteErasure:
    """Implements `ports.Erasure` over a `Database`. `actor`: who erases."""

    def __init__(self, database: Database, tokenizer: Tokenizer, actor: str | None = None) -> None:
        self._database, self._tokenizer, self._actor = database, tokenizer, actor

    # --- the transaction -----------------------------------------------------------------------------------------------

    def erase(
        self, space: Space, plans: Sequence[Callable[[History], Removal]], at: datetime, *, rehearse: bool = False
    ) -> dict[str, int]:
        """Plan and do it; see `ports.Erasure`."""
        counted = Counter[str]()
        try:
            with self._database.write() as db:
                for plan in plans:
                    counted.update(self.erase_within(db, space, plan, at))
                if counted and rehearse:
                    raise _Rehearsed
        except _Rehearsed:
            return counted
        reach("erase.committed")
        return counted

    def erase_within(
        self, db: sqlite3.Connection, space: Space, plan: Callable[[History], Removal], at: datetime
    ) -> dict[str, int]:
        """One plan, within a transaction."""
        close_open(db, "space = ?", (space,))  # what is open would grow into what the erasure has seen
        history = _history(db, space)
        removal = plan(history)
        reach("erase.planned")
        if removal.is_nothing:
            return {}
        texts = [history.turns[turn].content for turn in sorted(removal.turns | removal.blanked.keys())]
        bury(db, space, texts, to_micros(removal.dated_before or at))
        counted = {"tombstones": len(set(texts)), "kept_quotes": removal.kept_quotes}
        counted |= _erase_journal(db, space, removal)
        counted |= self._erase_content(db, space, removal)
        counted |= _write_history(db, space, removal, at, self._actor)
        _settle_user(db, space, removal, counted)
        db.execute("INSERT OR REPLACE INTO store VALUES (?, ?)", (ERASING, json.dumps(to_micros(at))))
        reach("erase.taken_out")
        return counted

    def due(self, before: datetime | None, expired: datetime | None) -> list[Space]:
        """By what was said, and by what memories and adds were given; see `ports.Erasure`."""
        with self._database.read() as db:
            rows = db.execute(_DUE, {"before": maybe_micros(before), "expired": maybe_micros(expired)})
            return [Space(row["space"]) for row in rows]

    def _erase_content(self, db: sqlite3.Connection, space: Space, removal: Removal) -> dict[str, int]:
        before = _memories(db, space)
        counted = {
            "turns": _delete(db, "turns", "number", space, removal.turns),
            "blanked": len(removal.blanked),
            "versions": _delete(db, "memory_rows", "statement", space, removal.statements),
            "sources": _delete(db, "sources", "number", space, removal.sources),
            "statements": _delete(db, "statements", "number", space, removal.statements),
        }
        counted["memories"] = before - _memories(db, space)
        for table in ("mentions", "relations"):
            _delete(db, table, "statement", space, removal.statements)
        db.executemany(
            "DELETE FROM mentions WHERE space = ? AND statement = ? AND entity = ?",
            [(space, statement, entity) for statement, entity in sorted(removal.unnamed)],
        )
        db.executemany(
            "UPDATE statements SET subject = NULL, attribute = NULL, many = 0, slot_key = NULL WHERE space = ? AND number = ?",
            [(space, statement) for statement in sorted(removal.unslotted)],
        )
        _delete(db, "hidings", "turn", space, removal.turns)
        db.executemany(
            "UPDATE turns SET content = ?, blanked = 1 WHERE space = ? AND number = ?",
            [(text, space, turn) for turn, text in removal.blanked.items()],
        )
        counted["passages"] = _rowcount(
            db,
            "DELETE FROM passages WHERE space = ?1 AND CASE kind"
            " WHEN 'statement' THEN NOT EXISTS (SELECT 1 FROM statements m WHERE m.space = ?1 AND m.number = passages.number)"
            " ELSE NOT EXISTS (SELECT 1 FROM turns t WHERE t.space = ?1 AND t.passage = passages.number) END",
            (space,),
        )
        db.execute(
            "DELETE FROM reembedded WHERE space = ?1 AND passage NOT IN (SELECT number FROM passages WHERE space = ?1)",
            (space,),
        )
        counted["entities"] = _rowcount(
            db,
            "DELETE FROM entities WHERE space = ?1"
            " AND NOT EXISTS (SELECT 1 FROM mentions m WHERE m.space = ?1 AND m.entity = entities.number)"
            " AND number NOT IN"
            " (SELECT subject FROM relations WHERE space = ?1 UNION SELECT object FROM relations WHERE space = ?1)",
            (space,),
        )
        _forget_identities(db, space)
        self._reword(db, space, removal)
        return counted

    def _reword(self, db: sqlite3.Connection, space: Space, removal: Removal) -> None:
        """What turns are found by that are not what they were, or came after one that is not; vectors are filled in later."""
        for number in sorted(removal.blanked.keys() | removal.echoes):
            row = db.execute("SELECT * FROM turns WHERE space = ? AND number = ?", (space, number)).fetchone()
            if row["passage"] is None:
                continue
            terms = self._tokenizer(line(row))
            before = _before(db, row)
            for term, count in (self._tokenizer(line(before)) if before else {}).items():
                terms[term] = terms.get(term, 0) + count
            db.execute(
                "UPDATE passages SET vector = NULL, terms = ?, revised = ? WHERE space = ? AND number = ?",
                (codec.dump(terms), removal.revision, space, row["passage"]),
            )
            db.execute("DELETE FROM reembedded WHERE space = ? AND passage = ?", (space, row["passage"]))

    # --- the bytes -----------------------------------------------------------------------------------------------------

    def unfinished(self) -> bool:
        """Whether remnants may be left."""
        with self._database.read() as db:
            return db.execute("SELECT 1 FROM store WHERE key = ?", (ERASING,)).fetchone() is not None

    def finish(self, patience_s: float) -> str | None:
        """Write the file anew, and cut the log to nothing. What goes wrong is told, for the erasure itself is committed."""
        try:
            with self._database.read() as db:
                mark = db.execute("SELECT value FROM store WHERE key = ?", (ERASING,)).fetchone()
            if mark is None:
                return None
            self._database.rewrite()
            reach("erase.rewritten")
            if not self._database.empty_log(patience_s):
                return "another reader holds an older state of the store, and with it the log"
            reach("erase.log_emptied")
            with (
                self._database.write() as db
            ):  # that the log is cut is safe with it; a later erasure is not this one's to settle
                db.execute("DELETE FROM store WHERE key = ? AND value = ?", (ERASING, mark["value"]))
            return None
        except StorageError as error:
            return f"{type(error).__name__}: {error}"


class _Rehearsed(Exception):
    """Takes a transaction back that was to tell what it would do."""


# --- reading -----------------------------------------------------------------------------------------------------------


def _history(db: sqlite3.Connection, space: Space) -> History:
    user = db.execute("SELECT * FROM users WHERE space = ?", (space,)).fetchone()
    turns = db.execute(_TURNS, (space,))
    chunks = db.execute("SELECT batch_id, n, first_turn, last_turn FROM chunks WHERE space = ?", (space,))
    hidden = db.execute("SELECT DISTINCT turn FROM hidings WHERE space = ?", (space,))
    return History(
        state=UserState(user["revision"], user["last_row"], user["last_passage"], user["last_source"]),
        turns={row["number"]: _said(row) for row in turns},
        words={row["number"]: row["words"] for row in db.execute(_WORDS, (space,))},
        names={(row["statement"], row["entity"]): row["name"] for row in db.execute(_NAMES, (space,))},
        rows={row.number: row for row in every_row(db, space)},
        sources={source.number: source for source in every_source(db, space)},
        hidden=frozenset(row["turn"] for row in hidden),
        changes=tuple(every_change(db, space)),
        chunks=tuple(tuple(row) for row in chunks),
    )


def _said(row: sqlite3.Row) -> SaidTurn:
    return SaidTurn(
        number=row["number"],
        talk=row["session_id"] or row["batch_id"],
        session_id=row["session_id"],
        batch_id=row["batch_id"],
        said_at=row["said_at"],
        content=row["content"],
        metadata=json.loads(row["metadata"]),
        searchable=bool(row["passage"]) and bool(row["batch_id"]),
        expires_at=row["expires_at"],
    )


def _before(db: sqlite3.Connection, row: sqlite3.Row) -> sqlite3.Row | None:
    """The turn before one in its talk, whose words it is found by too."""
    if not row["batch_id"]:
        return None
    same, talk = ("session_id", row["session_id"]) if row["session_id"] else ("batch_id", row["batch_id"])
    found: sqlite3.Row | None = db.execute(
        f"SELECT * FROM turns WHERE space = ? AND {same} = ? AND number < ? ORDER BY number DESC LIMIT 1",
        (row["space"], talk, row["number"]),
    ).fetchone()
    return found


# --- the journal -------------------------------------------------------------------------------------------------------


def _erase_journal(db: sqlite3.Connection, space: Space, removal: Removal) -> dict[str, int]:
    """Turns leave their chunks. What is not committed is made anew of what is left, for it may have words of what goes; what
    nothing is left of is over."""
    before = _count(db, "batches WHERE space = ? AND status <> 'done'", space)
    rejected = _rowcount(
        db,
        "DELETE FROM rejected WHERE batch_id IN (SELECT id FROM batches WHERE space = ?1 AND"
        " (?2 OR json_extract(options, '$.retells') OR id IN (SELECT value FROM json_each(?3))))",
        (space, removal.everything, json.dumps(sorted(removal.talks))),
    )
    taken = sorted(removal.turns)
    db.execute(
        "UPDATE chunks SET erased = erased +"
        " (SELECT count(*) FROM json_each(?2) WHERE value BETWEEN chunks.first_turn AND chunks.last_turn) WHERE space = ?1",
        (space, json.dumps(taken)),
    )
    facts = _rowcount(
        db,
        "DELETE FROM facts WHERE (batch_id, chunk) IN (SELECT batch_id, n FROM chunks WHERE space = ? AND state <> 'committed')",
        (space,),
    )
    db.execute(
        "DELETE FROM rejected WHERE (batch_id, chunk) IN"
        " (SELECT batch_id, n FROM chunks WHERE space = ? AND state <> 'committed')",
        (space,),
    )
    db.execute(
        "UPDATE chunks SET state = 'closed', model = NULL, prompt_id = NULL WHERE space = ? AND state <> 'committed'",
        (space,),
    )
    # One that tells anew and has not begun to take anything back is called off.
    unbegun = db.execute(
        "SELECT id FROM batches b WHERE space = ? AND status <> 'done' AND json_extract(options, '$.retells')"
        " AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = b.id AND c.state = 'committed')",
        (space,),
    ).fetchall()
    db.execute(
        "UPDATE chunks SET state = 'committed', committed = ?2 WHERE space = ?1 AND state <> 'committed'"
        f" AND ({_EMPTY} OR batch_id IN (SELECT value FROM json_each(?3)))",
        (space, removal.revision, json.dumps([row["id"] for row in unbegun])),
    )
    db.execute(
        "UPDATE batches SET lease_owner = NULL, lease_until = NULL WHERE space = ? AND status <> 'done'",
        (space,),
    )
    db.execute(
        "UPDATE batches SET status = 'done', error = ?2, finished_at = created_at WHERE space = ?1 AND status <> 'done'"
        " AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.batch_id = batches.id AND c.state <> 'committed')",
        (space, Erased.__name__),
    )
    _strip_batches(db, space, removal)
    after = _count(db, "batches WHERE space = ? AND status <> 'done'", space)
    return {"rejected": rejected, "facts": facts, "pending": before - after}


def _strip_batches(db: sqlite3.Connection, space: Space, removal: Removal) -> None:
    """What calls said goes with the last of their turns. A batch stays, bare: it was paid for, and its key is known again."""
    touched = json.dumps(sorted(removal.talks))
    db.execute(
        "UPDATE batches SET digest = '' WHERE space = ? AND id IN (SELECT value FROM json_each(?))", (space, touched)
    )
    over = db.execute(
        f"SELECT b.* FROM batches b WHERE b.space = ? AND (? OR {_ALL_EMPTY})", (space, removal.everything)
    ).fetchall()
    for row in over:
        options = json.loads(row["options"])
        kept = {name: options[name] for name in ("retells", "dropped") if name in options}
        db.execute(
            "UPDATE batches SET agent_id = NULL, session_id = NULL, options = ?, digest = '', redacted = '[]' WHERE id = ?",
            (codec.dump({**_BARE, **kept}), row["id"]),
        )
        _hide_key(db, space, row["id"], row["idempotency_key"])


def _hide_key(db: sqlite3.Connection, space: Space, batch_id: str, key: str | None) -> None:
    """Of two batches of one key that were erased one after the other the later one is known again."""
    if key is None or key.startswith(BURIED):
        return
    hidden = erased_key(db, space, key)
    db.execute("UPDATE batches SET idempotency_key = NULL WHERE space = ? AND idempotency_key = ?", (space, hidden))
    db.execute("UPDATE batches SET idempotency_key = ? WHERE id = ?", (hidden, batch_id))


# --- the history -------------------------------------------------------------------------------------------------------


def _write_history(
    db: sqlite3.Connection, space: Space, removal: Removal, at: datetime, actor: str | None
) -> dict[str, int]:
    """Changes stay, bare, for numbers refer to them; those of a user who goes whole do not."""
    user = db.execute("SELECT last_recorded_at FROM users WHERE space = ?", (space,)).fetchone()
    recorded_at = max(to_micros(at), user["last_recorded_at"])
    if removal.everything:
        changes = _rowcount(db, "DELETE FROM changes WHERE space = ?", (space,))
        db.execute("UPDATE users SET unchanged = unchanged + ? WHERE space = ?", (changes, space))
        return {"changes": changes, "restored": 0}
    db.executemany(
        "UPDATE changes SET previous_text = NULL, also_ended = '[]', reason = ?1, flag = ?1,"
        " row = (SELECT r.number FROM memory_rows r WHERE r.space = ?2 AND r.number = changes.row),"
        " memory_id = (SELECT r.memory_id FROM memory_rows r WHERE r.space = ?2 AND r.memory_id = changes.memory_id LIMIT 1)"
        " WHERE space = ?2 AND number = ?3",
        [(ERASED, space, number) for number in sorted(removal.scrubbed)],
    )
    db.executemany(
        "UPDATE changes SET reason = '' WHERE space = ? AND number = ?",
        [(space, number) for number in sorted(removal.unexplained - removal.scrubbed)],
    )
    db.executemany(
        "UPDATE memory_rows SET metadata = ?, valid_from = ?, valid_to = ? WHERE space = ? AND number = ?",
        [
            (codec.dump(dict(row.metadata)), to_micros(row.valid_from), maybe_micros(row.valid_to), space, row.number)
            for row in removal.altered
        ],
    )
    insert_rows(db, space, removal.restored)
    retire_rows(db, space, removal.retired)
    insert_hidings(db, space, removal.hidings)
    insert_changes(db, space, removal.changes, recorded_at, actor)
    db.execute("UPDATE users SET last_recorded_at = ? WHERE space = ?", (recorded_at, space))
    return {"changes": len(removal.scrubbed), "restored": len(removal.restored)}


def _settle_user(db: sqlite3.Connection, space: Space, removal: Removal, counted: dict[str, int]) -> None:
    """Every partition is made anew from here on, and what anybody read before is refused. One who went whole has no name."""
    gone = ("versions", "passages", "sources", "entities")
    db.execute(
        "UPDATE users SET revision = ?2, cleared_at = ?2, erased_at = ?2, lease_owner = NULL, lease_until = NULL,"
        " last_row = max(last_row, ?7),"
        " gone_rows = gone_rows + ?3, gone_passages = gone_passages + ?4, gone_sources = gone_sources + ?5,"
        " gone_entities = gone_entities + ?6 WHERE space = ?1",
        (
            space,
            removal.revision,
            *(counted[name] for name in gone),
            max((row.number for row in removal.restored), default=0),
        ),
    )
    name = db.execute("SELECT name FROM users WHERE space = ?", (space,)).fetchone()["name"]
    if removal.everything and name != codec.SHARED:
        db.execute("UPDATE users SET name = ? WHERE space = ?", (erased_name(db, name), space))


def _forget_identities(db: sqlite3.Connection, space: Space) -> None:
    """What was said of entities that are no more; the changes that said so have nothing left to undo."""
    gone = (
        "FROM identities WHERE space = ?1 AND (one NOT IN (SELECT number FROM entities WHERE space = ?1)"
        " OR other NOT IN (SELECT number FROM entities WHERE space = ?1))"
    )
    for column in ("added", "retired"):
        db.execute(
            f"UPDATE changes SET flag = ?2 WHERE space = ?1 AND number IN (SELECT {column} {gone})", (space, ERASED)
        )
    db.execute(f"DELETE {gone}", (space,))


# --- statements --------------------------------------------------------------------------------------------------------


def _delete(db: sqlite3.Connection, table: str, column: str, space: Space, numbers: Iterable[int]) -> int:
    return db.executemany(
        f"DELETE FROM {table} WHERE space = ? AND {column} = ?", [(space, number) for number in sorted(numbers)]
    ).rowcount


def _rowcount(db: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    return db.execute(statement, values).rowcount


def _count(db: sqlite3.Connection, source: str, space: Space) -> int:
    return int(db.execute(f"SELECT count(*) FROM {source}", (space,)).fetchone()[0])


def _memories(db: sqlite3.Connection, space: Space) -> int:
    query = "SELECT count(DISTINCT memory_id) FROM memory_rows WHERE space = ?"
    return int(db.execute(query, (space,)).fetchone()[0])
