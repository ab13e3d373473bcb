"""The ledger proper: commits, and everything that is read from it. The journal's half is in `sqlite_journal.py`."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LeaseLost, NotFound, RevisionConflict, TermsChanged, UserClaimed
from ..filters import Condition
from ..ids import IdKind
from ..model import Entity, Relation, Row, Scope, Statement, Turn, Usage
from ..owners import is_gone
from ..records import (
    ChangeRecord,
    ChunkDone,
    Commit,
    Delta,
    EmbedderKey,
    Hiding,
    Identity,
    Known,
    Names,
    NewTurn,
    PassageRecord,
    PendingVector,
    Quoted,
    Retirement,
    RowSpan,
    SourceRecord,
    SourceSpan,
    Space,
    UserRecord,
    UserState,
)
from ..results import Backup
from ..times import from_micros, maybe_micros, now, to_micros
from . import codec, sqlite_backup
from .database import Database, schema_version
from .sqlite_filter import MEMORY_FIELDS, TURN_FIELDS, compile_filter
from .sqlite_journal import check_erased, ensure_space, insert_call
from .tombstones import ERASED

if TYPE_CHECKING:
    from ..ports import Vectors

_ROWS = (
    "SELECT r.*, m.text, m.kind, m.subject, m.attribute, m.many, m.value, m.event_from, m.event_to, m.event_precision,"
    " m.source FROM memory_rows r JOIN statements m ON m.space = r.space AND m.number = r.statement"
)
_QUOTED = (
    "SELECT s.number, s.statement, s.turn, s.quote, s.added, s.retired, s.echo, t.id, t.role, t.name, t.said_at, t.utc_offset,"
    " t.session_id, t.agent_id FROM sources s LEFT JOIN turns t ON t.space = s.space AND t.number = s.turn"
    " WHERE s.space = ? AND s.statement"
)
AT_ONCE = 1_000  # passages that are read at a time: as many vectors and term counts are held twice
_PASSAGES = (
    "SELECT p.*, t.number AS turn, t.said_at, t.committed, coalesce(t.name, t.role) AS speaker,"
    " coalesce(t.session_id, t.batch_id) AS session FROM passages p{}"
    " LEFT JOIN turns t ON p.kind = 'turn' AND t.space = p.space AND t.passage = p.number"
    " WHERE p.space = ?1 AND p.number > ?2 AND {}p.revised > ?3 ORDER BY p.number LIMIT ?4"
)
_ALL_PASSAGES = _PASSAGES.format("", "+")  # by their numbers, not by when they were revised
_NEW_PASSAGES = _PASSAGES.format(" INDEXED BY passages_by_revision", "")
_SPAN = "number, statement, valid_from, valid_to, recorded, retired, expires_at, quarantined"
_TOLD = (
    "SELECT number, event_from, event_to, slot_key FROM statements"
    " WHERE space = ? AND (event_from IS NOT NULL OR slot_key IS NOT NULL) AND number"
)
_OWNERS: dict[IdKind, str] = {
    "mem": "SELECT space FROM memory_rows WHERE memory_id = ?1 LIMIT 1",
    "chg": "SELECT space FROM changes WHERE id = ?1",
    "turn": "SELECT space FROM turns WHERE id = ?1",
    "batch": "SELECT space FROM batches WHERE id = ?1 UNION SELECT space FROM changes WHERE batch_id = ?1",
}
_NAMED: dict[IdKind, tuple[str, str]] = {
    "mem": ("memory_rows", "memory_id"),
    "chg": ("changes", "id"),
    "turn": ("turns", "id"),
    "batch": ("batches", "id"),
}
_THINGS: dict[IdKind, str] = {"mem": "memory", "chg": "change", "turn": "turn", "batch": "batch"}
# Turns taken out of search for a review, but for those that a memory which was put aside cites: one review is enough.
_QUARANTINED_TURNS = """
    SELECT h.* FROM hidings h JOIN changes c ON c.space = h.space AND c.number = h.origin
    WHERE h.retired IS NULL AND c.flag = 'quarantined'
"""
_QUARANTINED_OF = f"""
    SELECT DISTINCT space, memory_id AS id FROM memory_rows WHERE quarantined = 1 AND retired IS NULL
    UNION ALL SELECT h.space, h.turn FROM ({_QUARANTINED_TURNS}) h WHERE NOT EXISTS (
      SELECT 1 FROM sources s JOIN memory_rows r ON r.space = s.space AND r.statement = s.statement
      WHERE s.space = h.space AND s.turn = h.turn AND s.retired IS NULL AND r.retired IS NULL AND r.quarantined = 1)
"""
_IN_LIMIT = 512  # parameters of one statement, a power of two; SQLite's own limit is higher


class SqliteLedger:
    """Implements `ports.Ledger` over a `Database`. `actor`: who makes the changes that do not say so themselves."""

    def __init__(self, database: Database, terms: str, actor: str | None = None) -> None:
        """`terms`: the id of the tokenizer that the store's terms must be of."""
        self._database = database
        self._terms = terms
        self._actor = actor
        self._secret: bytes | None = None

    # --- the store -----------------------------------------------------------------------------------------------------

    def setting(self, key: str) -> str | None:
        """A recorded property of the store."""
        with self._database.read() as db:
            row = db.execute("SELECT value FROM store WHERE key = ?", (key,)).fetchone()
            return None if row is None else row["value"]

    def record_setting(self, key: str, value: str) -> str:
        """Record a property once; the value that stands (an earlier one wins)."""
        with self._database.write() as db:
            db.execute("INSERT OR IGNORE INTO store VALUES (?, ?)", (key, value))
            return str(db.execute("SELECT value FROM store WHERE key = ?", (key,)).fetchone()["value"])

    def secret(self) -> bytes:
        """The store's own key, for the fence of `context` and for tombstones; made with the store, and kept here then."""
        if self._secret is None:
            known = self.setting("secret") or self.record_setting("secret", secrets.token_hex(32))
            self._secret = bytes.fromhex(known)
        return self._secret

    def counts(self, space: Space | None) -> dict[str, int]:
        """How much there is of everything, of one user or in all."""
        where, values = ("", ()) if space is None else (" WHERE space = ?", (space,))
        pending = f"{where} {'AND' if where else 'WHERE'} status <> 'done'"
        tables = {
            "turns": "turns",
            "rows": "memory_rows",
            "changes": "changes",
            "entities": "entities",
            "users": "users" if space is not None else f"users WHERE name NOT LIKE '{ERASED}%'",
        }
        with self._database.read() as db:
            found = {key: _count(db, f"{table}{where}", values) for key, table in tables.items()}
            found["pending"] = _count(db, f"batches{pending}", values)
            found["memories"] = db.execute(
                f"SELECT count(DISTINCT memory_id) FROM memory_rows{where or ' WHERE 1'} AND retired IS NULL"
                " AND quarantined = 0 AND valid_to IS NULL",
                values,
            ).fetchone()[0]
            found["quarantined"] = _count(db, f"({_QUARANTINED_OF}){where}", values)
            found["schema_version"] = schema_version(db)
            return found

    def spent_since(self, moment: datetime) -> Usage:
        """What models were paid for since then, over all users. The cost is None where any of it is not known."""
        with self._database.read() as db:
            row = db.execute(
                "SELECT total(llm_calls), total(input_tokens), total(output_tokens), total(cost_usd),"
                " count(*) - count(cost_usd) FROM calls WHERE at >= ?",
                (to_micros(moment),),
            ).fetchone()
            return Usage(int(row[0]), int(row[1]), int(row[2]), None if row[4] else row[3])

    def bytes_on_disk(self) -> int:
        """The database file with its log."""
        folder, name = self._database.path.parent, self._database.path.name
        return sum(file.stat().st_size for file in folder.glob(f"{name}*"))

    def spaces(self) -> list[tuple[Space, str | None]]:
        """Every user's key and id."""
        with self._database.read() as db:
            rows = db.execute("SELECT space, name FROM users ORDER BY space").fetchall()
            return [(Space(row["space"]), codec.user_of(row["name"])) for row in rows]

    def users(self) -> list[UserRecord]:
        """Where every user stands who was not erased."""
        with self._database.read() as db:
            rows = db.execute(
                f"SELECT name, revision, last_recorded_at FROM users WHERE name NOT LIKE '{ERASED}%' ORDER BY space"
            ).fetchall()
        return [UserRecord(codec.user_of(name), number, from_micros(at) if at else None) for name, number, at in rows]

    def erasures(self) -> int:
        """A number that every erasure moves; 0 where there was none."""
        with self._database.read() as db:
            return int(db.execute("SELECT total(erased_at) FROM users").fetchone()[0])

    # --- users ---------------------------------------------------------------------------------------------------------

    def space(self, user_id: str | None) -> Space | None:
        """The user's key, None where nothing was ever stored."""
        row = self._database.one("SELECT space FROM users WHERE name = ?", (codec.space_name(user_id),))
        return None if row is None else Space(row["space"])

    def ensure_space(self, user_id: str | None) -> Space:
        """The user's key, made where nothing was ever stored."""
        with self._database.write() as db:
            return ensure_space(db, user_id)

    def user_id(self, space: Space) -> str | None:
        """The id behind a key."""
        with self._database.read() as db:
            row = db.execute("SELECT name FROM users WHERE space = ?", (space,)).fetchone()
            return codec.user_of(row["name"])

    def owner(self, kind: IdKind, identifier: str) -> Space:
        """Whose an id is. Raises NotFound."""
        return self._owner(_OWNERS[kind], kind, identifier)

    def owned(self, kind: IdKind, identifier: str, user_id: str | None) -> Space:
        """The user's key where the id is of theirs. Raises NotFound, by the same statement for a foreign id as for none."""
        query = f"SELECT own.space FROM ({_OWNERS[kind]}) own JOIN users u ON u.space = own.space WHERE u.name = ?2"
        return self._owner(query, kind, identifier, codec.space_name(user_id))

    def beginning(self, kind: IdKind, beginning: str, space: Space | None, limit: int) -> list[str]:
        """Ids that begin so, of one user or of all, at most `limit`."""
        table, column = _NAMED[kind]
        whose, values = ("", ()) if space is None else (" AND +space = ?4", (space,))  # + : by the id's index
        with self._database.read() as db:
            found = db.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ?1 AND {column} < ?2{whose} LIMIT ?3",
                (beginning, beginning + "g", limit, *values),  # an id ends in hex digits, which all come before "g"
            ).fetchall()
        return [row[0] for row in found]

    def _owner(self, query: str, kind: IdKind, identifier: str, *name: str) -> Space:
        with self._database.read() as db:
            row = db.execute(query, (identifier, *name)).fetchone()
        if row is None:
            raise NotFound(_THINGS[kind], identifier)
        return Space(row["space"])

    def state(self, space: Space) -> UserState:
        """Where the user's numbers stand."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM users WHERE space = ?", (space,)).fetchone()
            return UserState(row["revision"], row["last_row"], row["last_passage"], row["last_source"])

    def number_at(self, space: Space, known_at: datetime) -> int:
        """The user's number then: the last one before any change that was recorded later."""
        with self._database.read() as db:
            later = db.execute(
                "SELECT min(number) AS first FROM changes WHERE space = ? AND recorded_at > ?",
                (space, to_micros(known_at)),
            ).fetchone()["first"]
            if later is not None:
                return int(later) - 1
            return int(db.execute("SELECT revision FROM users WHERE space = ?", (space,)).fetchone()["revision"])

    # --- committing ----------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> datetime:
        """Apply all effects in one transaction; the recorded time.

        Raises RevisionConflict where the user's revision moved, UserClaimed where another writer goes first, LeaseLost where the
        chunk that it finishes is no longer its owner's to commit, Erased where it is no more, EmbeddingModelMismatch where its
        vectors are not of the store's embedder.
        """
        with self._database.write() as db:
            check_embedder(db, commit.embedder)
            check_terms(db, self._terms)
            if commit.done is not None:
                _check_lease(db, commit.done)
            user = db.execute("SELECT * FROM users WHERE space = ?", (commit.space,)).fetchone()
            owner = None if commit.done is None else commit.done.owner
            if user["lease_owner"] not in (None, owner) and not _is_over(user):
                raise UserClaimed("another writer goes first")
            if user["revision"] != commit.at.revision:
                raise RevisionConflict("another writer committed first")
            recorded_at = max(to_micros(now()), user["last_recorded_at"])
            self._write_content(db, commit)
            self._write_effects(db, commit, recorded_at)
            db.execute(
                "UPDATE users SET revision = ?, last_recorded_at = ?, lease_owner = NULL, lease_until = NULL,"
                " last_row = max(last_row, ?), last_passage = max(last_passage, ?), last_source = max(last_source, ?)"
                " WHERE space = ?",
                (commit.revision, recorded_at, *_last_numbers(commit), commit.space),
            )
            if commit.done is not None:
                _finish_chunk(db, commit, recorded_at)
            return from_micros(recorded_at)

    def claim(self, space: Space, owner: str, until: datetime) -> None:
        """Let only `owner` commit to the user, until he has or until a time. Does nothing where another one's claim stands."""
        with self._database.write(durable=False) as db:
            user = db.execute("SELECT lease_owner, lease_until FROM users WHERE space = ?", (space,)).fetchone()
            if user["lease_owner"] in (None, owner) or _is_over(user):
                db.execute(
                    "UPDATE users SET lease_owner = ?, lease_until = ? WHERE space = ?",
                    (owner, to_micros(until), space),
                )

    def unclaim(self, space: Space, owner: str) -> None:
        """Let others commit again."""
        with self._database.write(durable=False) as db:
            db.execute(
                "UPDATE users SET lease_owner = NULL, lease_until = NULL WHERE space = ? AND lease_owner = ?",
                (space, owner),
            )

    def _write_content(self, db: sqlite3.Connection, commit: Commit) -> None:
        _insert_statements(db, commit)
        for turn in commit.new_turns:
            _insert_turn(db, commit, turn.number, turn)
        db.executemany(
            "INSERT INTO passages VALUES (?, ?, 'turn', ?, ?, ?)",
            [
                (commit.space, one.passage, codec.blob(one.vector), codec.dump(dict(one.terms)), commit.revision)
                for one in commit.all_turns
            ],
        )
        db.executemany(
            "UPDATE turns SET passage = ?, committed = ? WHERE space = ? AND number = ?",
            [(one.passage, commit.revision, commit.space, one.turn) for one in commit.turns],
        )

    def _write_effects(self, db: sqlite3.Connection, commit: Commit, recorded_at: int) -> None:
        space = commit.space
        insert_rows(db, space, commit.rows)
        retire_rows(db, space, commit.retired_rows)
        db.executemany(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(space, s.number, s.statement, s.turn, s.quote, s.added, s.retired, s.echo) for s in commit.sources],
        )
        db.executemany(
            "UPDATE sources SET retired = ? WHERE space = ? AND number = ?",
            [(one.by, space, one.number) for one in commit.retired_sources],
        )
        insert_hidings(db, space, commit.hidings)
        db.executemany(
            "UPDATE hidings SET retired = ? WHERE space = ? AND turn = ? AND added = ?",
            [(one.retired, space, one.turn, one.added) for one in commit.retired_hidings],
        )
        insert_identities(db, space, commit.identities)
        db.executemany(
            "UPDATE identities SET retired = ? WHERE space = ? AND one = ? AND other = ? AND added = ?",
            [(one.retired, space, one.one, one.other, one.added) for one in commit.retired_identities],
        )
        insert_changes(db, space, commit.changes, recorded_at, self._actor)

    def backfill(self, space: Space, vectors: Sequence[tuple[PendingVector, Vectors]], embedder: EmbedderKey) -> None:
        """Put vectors (of shape (dim,)) to passages that were committed without, and are as they were when they were read.
        Consumes a number, so that partitions see them. Raises EmbeddingModelMismatch where they are of another embedder."""
        with self._database.write() as db:
            check_embedder(db, embedder)
            revision = db.execute(
                "UPDATE users SET revision = revision + 1 WHERE space = ? RETURNING revision", (space,)
            ).fetchone()["revision"]
            db.executemany(
                "UPDATE passages SET vector = ?, revised = ? WHERE space = ? AND number = ? AND vector IS NULL AND revised = ?",
                [(codec.blob(vector), revision, space, one.passage, one.revised) for one, vector in vectors],
            )

    # --- reading -------------------------------------------------------------------------------------------------------

    def snapshot(self) -> AbstractContextManager[object]:
        """One state of the ledger for all that this thread reads within."""
        return self._database.read()

    def revision(self, space: Space) -> int:
        """The number of the user's last commit."""
        now = self._database.one("SELECT revision FROM users WHERE space = ?", (space,))
        return 0 if now is None else int(now["revision"])

    def delta(self, space: Space, since: int, embedder: EmbedderKey | None = None) -> Delta:
        """What a partition at number `since` must learn, beside `passages`. Raises EmbeddingModelMismatch where it may hold new
        vectors, and the store's are not of `embedder`."""
        with self._database.read() as db:
            user = db.execute("SELECT revision, cleared_at FROM users WHERE space = ?", (space,)).fetchone()
            check_embedder(db, embedder)
            check_terms(db, self._terms)
            rows = _changed(db, "memory_rows", "recorded", space, since, _SPAN)
            told = {row["number"]: row for row in _select_in(db, _TOLD, space, {row["statement"] for row in rows})}
            sources = _changed(db, "sources", "added", space, since, ", ".join(SourceSpan._fields))
            hidings = _changed(db, "hidings", "added", space, since)
            identities = _changed(db, "identities", "added", space, since)
            return Delta(
                revision=user["revision"],
                cleared=since < user["cleared_at"],
                rows=tuple(_span(row, told.get(row["statement"])) for row in rows),
                sources=tuple(SourceSpan(*row) for row in sources),
                hidings=tuple(_hiding(row) for row in hidings),
                identities=tuple(_identity(row) for row in identities),
            )

    def passages(self, space: Space, since: int = 0) -> Iterator[Sequence[PassageRecord]]:
        """Texts that came or changed after number `since`, in the order of their numbers, some at a time: within a `snapshot` as
        they were at one moment."""
        behind = 0
        while True:
            with self._database.read() as db:
                query = _NEW_PASSAGES if since else _ALL_PASSAGES
                found = db.execute(query, (space, behind, since, AT_ONCE)).fetchall()
            yield [*_passages(found)]
            if len(found) < AT_ONCE:
                return
            behind = found[-1]["number"]

    def memories_of(self, space: Space, rows: Iterable[int]) -> dict[int, str]:
        """The ids of the memories that rows are versions of, by the row's number."""
        with self._database.read() as db:
            query = "SELECT number, memory_id FROM memory_rows WHERE space = ? AND number"
            return Known({row["number"]: row["memory_id"] for row in _select_in(db, query, space, rows)})

    def first_rows(self, space: Space, memory_ids: Iterable[str]) -> dict[str, int]:
        """The number of each memory's first row."""
        query = "SELECT memory_id, min(number) AS first FROM memory_rows WHERE space = ? AND memory_id"
        with self._database.read() as db:
            found = _select_in(db, query, space, memory_ids, suffix=" GROUP BY memory_id")
            return Known({row["memory_id"]: row["first"] for row in found})

    def rows(self, space: Space, numbers: Iterable[int]) -> dict[int, Row]:
        """The user's rows of these numbers; absent ones are left out."""
        with self._database.read() as db:
            found = _select_in(db, f"{_ROWS} WHERE r.space = ? AND r.number", space, numbers)
            return Known({row["number"]: codec.memory_row(row) for row in found})

    def versions(self, space: Space, memory_ids: Iterable[str], *, retired: bool = False) -> list[Row]:
        """All rows of these memories in the order of their numbers; without `retired`, those still believed."""
        with self._database.read() as db:
            unretired = "" if retired else " AND r.retired IS NULL"
            found = _select_in(db, f"{_ROWS} WHERE r.space = ?{unretired} AND r.memory_id", space, memory_ids)
            return sorted((codec.memory_row(row) for row in found), key=lambda row: row.number)

    def statements_of_slot(self, space: Space, slot_key: tuple[str, str]) -> list[int]:
        """The numbers of all statements with this slot, of rows that ended too."""
        with self._database.read() as db:
            wanted = (space, "\x1f".join(slot_key))
            found = db.execute("SELECT number FROM statements WHERE space = ? AND slot_key = ?", wanted)
            return [row[0] for row in found]

    def statements_of_entity(self, space: Space, name: str) -> list[int]:
        """The numbers of all statements that mention an entity, of rows that ended too. Case and spacing do not matter."""
        with self._database.read() as db:
            found = db.execute(
                "SELECT m.statement FROM entities e JOIN mentions m ON m.space = e.space AND m.entity = e.number"
                " WHERE e.space = ? AND e.key = ? ORDER BY m.statement",
                (space, codec.entity_key(name)),
            )
            return [row[0] for row in found]

    def rows_by_text(self, space: Space, text_keys: Iterable[str]) -> list[Row]:
        """Rows still believed whose text is one of these but for case and spacing, in the order of their numbers."""
        with self._database.read() as db:
            found = _select_in(db, f"{_ROWS} WHERE r.space = ? AND r.retired IS NULL AND m.text_key", space, text_keys)
            return sorted((codec.memory_row(row) for row in found), key=lambda row: row.number)

    def rows_touched(self, space: Space, number: int) -> tuple[list[Row], list[Row]]:
        """The rows that a change inserted, and those that it retired."""
        with self._database.read() as db:
            inserted = db.execute(
                f"{_ROWS} WHERE r.space = ? AND r.recorded = ? ORDER BY r.number", (space, number)
            ).fetchall()
            retired = db.execute(
                f"{_ROWS} WHERE r.space = ? AND r.retired = ? ORDER BY r.number", (space, number)
            ).fetchall()
            return [codec.memory_row(row) for row in inserted], [codec.memory_row(row) for row in retired]

    def allowed_rows(self, space: Space, scope: Scope, condition: Condition | None) -> list[int]:
        """Numbers of the user's rows that fit agent, session and filter."""
        where, values = _scope_condition(scope, MEMORY_FIELDS)
        if condition is not None:
            sql, more = compile_filter(condition, MEMORY_FIELDS)
            where, values = f"{where} AND {sql}", [*values, *more]
        with self._database.read() as db:
            found = db.execute(
                "SELECT r.number FROM memory_rows r JOIN statements m ON m.space = r.space AND m.number = r.statement"
                f" WHERE r.space = ? AND {where} ORDER BY r.number",
                [space, *values],
            ).fetchall()
            return [row["number"] for row in found]

    def allowed_turns(self, space: Space, scope: Scope, condition: Condition | None) -> list[int]:
        """Numbers of the user's turns that fit agent, session and filter."""
        where, values = _scope_condition(scope, TURN_FIELDS)
        if condition is not None:
            sql, more = compile_filter(condition, TURN_FIELDS)
            where, values = f"{where} AND {sql}", [*values, *more]
        with self._database.read() as db:
            found = db.execute(
                f"SELECT r.number FROM turns r WHERE r.space = ? AND {where}", [space, *values]
            ).fetchall()
            return [row["number"] for row in found]

    def turns(self, space: Space, numbers: Iterable[int]) -> dict[int, Turn]:
        """The user's turns of these numbers."""
        with self._database.read() as db:
            user_id = self.user_id(space)  # of the same snapshot
            found = _select_in(db, "SELECT * FROM turns WHERE space = ? AND number", space, numbers)
            return Known({row["number"]: codec.turn(row, user_id) for row in found})

    def sources(self, space: Space, statements: Iterable[int], at: int | None = None) -> list[SourceRecord]:
        """Quotes behind statements, as of number `at` (None: now), in the order of the turns."""
        with self._database.read() as db:
            found = _select_in(db, "SELECT * FROM sources WHERE space = ? AND statement", space, statements)
            then = [_source(row) for row in found if _stands(row, at)]
        return sorted(then, key=lambda s: (s.turn, s.number))

    def quoted(self, space: Space, statements: Iterable[int], at: int | None = None) -> list[Quoted]:
        """The same with what is told of the turns."""
        with self._database.read() as db:
            found = [row for row in _select_in(db, _QUOTED, space, statements) if _stands(row, at)]
            return [codec.quoted(row) for row in sorted(found, key=lambda row: (row["turn"], row["number"]))]

    def sources_touched(self, space: Space, number: int) -> tuple[list[SourceRecord], list[SourceRecord]]:
        """The sources that a change added, and those that it retired."""
        with self._database.read() as db:
            added = db.execute("SELECT * FROM sources WHERE space = ? AND added = ?", (space, number)).fetchall()
            retired = db.execute("SELECT * FROM sources WHERE space = ? AND retired = ?", (space, number)).fetchall()
            return [_source(row) for row in added], [_source(row) for row in retired]

    def hidings(self, space: Space, numbers: Iterable[int]) -> list[Hiding]:
        """Hidings that stand and began with these changes."""
        with self._database.read() as db:
            query = "SELECT * FROM hidings WHERE space = ? AND retired IS NULL AND origin"
            return [_hiding(row) for row in _select_in(db, query, space, numbers)]

    def hidings_touched(self, space: Space, number: int) -> tuple[list[Hiding], list[Hiding]]:
        """The hidings that a change brought, and those that it ended."""
        with self._database.read() as db:
            added = db.execute("SELECT * FROM hidings WHERE space = ? AND added = ?", (space, number)).fetchall()
            retired = db.execute("SELECT * FROM hidings WHERE space = ? AND retired = ?", (space, number)).fetchall()
            return [_hiding(row) for row in added], [_hiding(row) for row in retired]

    def identities(self, space: Space, numbers: Iterable[int] | None = None) -> list[Identity]:
        """What callers' words stand on entities; with `numbers` those that began with these changes."""
        query = "SELECT * FROM identities WHERE space = ? AND retired IS NULL"
        with self._database.read() as db:
            if numbers is None:
                return [_identity(row) for row in db.execute(f"{query} ORDER BY added", (space,))]
            return [_identity(row) for row in _select_in(db, f"{query} AND origin", space, numbers)]

    def identities_touched(self, space: Space, number: int) -> tuple[list[Identity], list[Identity]]:
        """What a change said of entities, and what it ended of what was said before."""
        with self._database.read() as db:
            added = db.execute("SELECT * FROM identities WHERE space = ? AND added = ?", (space, number)).fetchall()
            retired = db.execute("SELECT * FROM identities WHERE space = ? AND retired = ?", (space, number)).fetchall()
            return [_identity(row) for row in added], [_identity(row) for row in retired]

    def entity_number(self, space: Space, name: str) -> int | None:
        """The user's entity of that name, however it is spaced or capitalised; None where no statement names it."""
        query = "SELECT number FROM entities WHERE space = ? AND key = ?"
        with self._database.read() as db:
            row = db.execute(query, (space, codec.entity_key(name))).fetchone()
        return None if row is None else int(row["number"])

    def names(self, space: Space, after: int, entity: int) -> Names:
        """What statements numbered after `after` name, and the entities numbered after `entity`."""
        later = " WHERE space = ? AND statement > ? ORDER BY 1, 2, 3"
        with self._database.read() as db:
            entities = db.execute(
                "SELECT number, name, kind FROM entities WHERE space = ? AND number > ? ORDER BY number",
                (space, entity),
            )
            mentions = db.execute(f"SELECT statement, entity, 0 FROM mentions{later}", (space, after))
            relations = db.execute(
                f"SELECT statement, subject, predicate, object FROM relations{later}, 4", (space, after)
            )
            return Names(
                tuple((row[0], row[1], row[2]) for row in entities),
                tuple((row[0], row[1]) for row in mentions),
                tuple((row[0], row[1], row[2], row[3]) for row in relations),
            )

    def quarantined(self, space: Space) -> tuple[list[Row], list[Hiding]]:
        """What waits for a review: rows that were put aside, and turns that were taken out of search."""
        with self._database.read() as db:
            rows = db.execute(
                f"{_ROWS} WHERE r.space = ? AND r.quarantined = 1 AND r.retired IS NULL ORDER BY r.number", (space,)
            ).fetchall()
            hidden = db.execute(f"{_QUARANTINED_TURNS} AND h.space = ? ORDER BY h.turn, h.added", (space,)).fetchall()
            return [codec.memory_row(row) for row in rows], [_hiding(row) for row in hidden]

    def turn_number(self, turn_id: str) -> int:
        """A turn's number among its user's. Raises NotFound."""
        with self._database.read() as db:
            row = db.execute("SELECT number FROM turns WHERE id = ?", (turn_id,)).fetchone()
        if row is None:
            raise NotFound("turn", turn_id)
        return int(row["number"])

    def known_texts(self, space: Space, text_keys: Iterable[str]) -> set[str]:
        """Those of these texts' keys that a memory says, or once said."""
        with self._database.read() as db:
            query = "SELECT DISTINCT text_key FROM statements WHERE space = ? AND text_key"
            return {row["text_key"] for row in _select_in(db, query, space, text_keys)}

    def entities(self, space: Space, statements: Iterable[int]) -> dict[int, tuple[Entity, ...]]:
        """The entities that statements mention."""
        query = (
            "SELECT m.statement, e.name, e.kind FROM mentions m JOIN entities e ON e.space = m.space AND e.number = m.entity"
            " WHERE m.space = ? AND m.statement"
        )
        grouped: dict[int, list[Entity]] = {}
        with self._database.read() as db:
            for row in _select_in(db, query, space, statements):
                grouped.setdefault(row["statement"], []).append(Entity(row["name"], row["kind"]))
        return {statement: tuple(found) for statement, found in grouped.items()}

    def relations(self, space: Space, statements: Iterable[int]) -> dict[int, tuple[Relation, ...]]:
        """The relations that statements tell."""
        query = (
            "SELECT r.statement, r.predicate, one.name AS subject, other.name AS object FROM relations r"
            " JOIN entities one ON one.space = r.space AND one.number = r.subject"
            " JOIN entities other ON other.space = r.space AND other.number = r.object WHERE r.space = ? AND r.statement"
        )
        grouped: dict[int, list[Relation]] = {}
        with self._database.read() as db:
            for row in _select_in(db, query, space, statements):
                told = Relation(row["subject"], row["predicate"], row["object"])
                grouped.setdefault(row["statement"], []).append(told)
        return {statement: tuple(found) for statement, found in grouped.items()}

    def created_at(self, space: Space, memory_ids: Iterable[str]) -> dict[str, datetime]:
        """When each memory was first recorded."""
        query = (
            "SELECT r.memory_id, min(c.recorded_at) AS at FROM memory_rows r JOIN changes c ON c.space = r.space"
            " AND c.number = r.recorded WHERE r.space = ? AND r.memory_id"
        )
        with self._database.read() as db:
            found = _select_in(db, query, space, memory_ids, suffix=" GROUP BY r.memory_id")
            return Known({row["memory_id"]: from_micros(row["at"]) for row in found})

    def recorded_at(self, space: Space, numbers: Iterable[int]) -> dict[int, datetime]:
        """When changes of these numbers were recorded."""
        with self._database.read() as db:
            found = _select_in(db, "SELECT number, recorded_at FROM changes WHERE space = ? AND number", space, numbers)
            return Known({row["number"]: from_micros(row["recorded_at"]) for row in found})

    def change(self, change_id: str) -> ChangeRecord:
        """Raises NotFound."""
        with self._database.read() as db:
            row = db.execute("SELECT * FROM changes WHERE id = ?", (change_id,)).fetchone()
            if row is None:
                raise NotFound("change", change_id)
            return codec.change(row)

    def changes(
        self, space: Space, *, memory_id: str | None = None, batch_id: str | None = None, undoes: str | None = None
    ) -> list[ChangeRecord]:
        """The user's changes in order, of one memory, batch or undone change."""
        wanted = {"memory_id": memory_id, "batch_id": batch_id, "undoes": undoes}
        given = {key: value for key, value in wanted.items() if value is not None}
        where = "".join(f" AND {key} = ?" for key in given)
        with self._database.read() as db:
            found = db.execute(
                f"SELECT * FROM changes WHERE space = ?{where} ORDER BY number",
                (space, *given.values()),
            ).fetchall()
            return [codec.change(row) for row in found]

    def changes_after(self, space: Space, number: int, limit: int) -> list[ChangeRecord]:
        """The user's changes behind a number, in order, at most `limit`."""
        with self._database.read() as db:
            found = db.execute(
                "SELECT * FROM changes WHERE space = ? AND number > ? ORDER BY number LIMIT ?", (space, number, limit)
            ).fetchall()
            return [codec.change(row) for row in found]

    def changes_at(self, space: Space, numbers: Iterable[int]) -> list[ChangeRecord]:
        """The user's changes of these numbers, in order; absent ones are left out."""
        with self._database.read() as db:
            found = _select_in(db, "SELECT * FROM changes WHERE space = ? AND number", space, numbers)
            return sorted((codec.change(row) for row in found), key=lambda one: one.number)

    def undone(self, change_ids: Iterable[str]) -> set[str]:
        """Those of these changes that were undone, and whose undoing stands."""
        with self._database.read() as db:
            return _standing_undos(db, set(change_ids))

    def next_turn(self, space: Space) -> int:
        """Allocate a turn's number."""
        with self._database.write() as db:
            return int(
                db.execute(
                    "UPDATE users SET last_turn = last_turn + 1 WHERE space = ? RETURNING last_turn", (space,)
                ).fetchone()[0]
            )

    def pending_vectors(self, first: Space | None, limit: int) -> list[PendingVector]:
        """Passages that wait for their vector, a user's together, those of `first` before the others'."""
        with self._database.read() as db:
            which = "WHERE p.vector IS NULL ORDER BY p.space IS NOT ?, p.space, p.number LIMIT ?"
            return waiting(db, "passages p INDEXED BY passages_pending", which, (first, limit))

    def back_up(self, target: Path, *, overwrite: bool, progress: Callable[[int, int], None]) -> Backup:
        """Copy the ledger to a file, see `sqlite_backup`."""
        return sqlite_backup.back_up(self._database, target, overwrite=overwrite, progress=progress)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


# --- helpers -----------------------------------------------------------------------------------------------------------


def waiting(db: sqlite3.Connection, passages: str, which: str, values: Sequence[object]) -> list[PendingVector]:
    """Passages (`p`), those of a WHERE in its order, with what their vectors are to be made of."""
    rows = db.execute(
        "SELECT p.space, p.number, p.revised, coalesce(m.text, t.content) AS text, t.number AS turn, c.batch_id, c.n"
        f" FROM {passages} LEFT JOIN statements m ON m.space = p.space AND m.number = p.number"
        " LEFT JOIN turns t ON p.kind = 'turn' AND t.space = p.space AND t.passage = p.number"
        " LEFT JOIN chunks c ON c.batch_id = t.batch_id AND t.number BETWEEN c.first_turn AND c.last_turn"
        f" {which}",
        values,
    ).fetchall()
    return [_pending_vector(row) for row in rows]


def recorded_embedder(db: sqlite3.Connection) -> EmbedderKey | None:
    """Whose vectors the store holds; None where nothing was ever embedded."""
    row = db.execute("SELECT value FROM store WHERE key = 'embedder'").fetchone()
    if row is None:
        return None
    recorded = json.loads(row["value"])
    return EmbedderKey(recorded["id"], recorded["dim"])


def check_embedder(db: sqlite3.Connection, embedder: EmbedderKey | None) -> None:
    """Raises EmbeddingModelMismatch where the store's vectors are of another embedder."""
    recorded = recorded_embedder(db) if embedder is not None else None
    if embedder is not None and recorded is not None:
        embedder.must_be(recorded)


def check_terms(db: sqlite3.Connection, terms: str) -> None:
    """Raises TermsChanged where the store's terms are of another tokenizer."""
    row = db.execute("SELECT value FROM store WHERE key = 'terms'").fetchone()
    if row is None or row["value"] != terms:
        raise TermsChanged(
            "all words of the store were counted anew by another version: close this memory, and open it again"
        )


def memory_rows(db: sqlite3.Connection, space: Space, which: str) -> list[Row]:
    """Rows that fit a condition of ours, in order."""
    found = db.execute(f"{_ROWS} WHERE r.space = :space AND {which} ORDER BY r.number", {"space": space})
    return [codec.memory_row(row) for row in found]


def every_row(db: sqlite3.Connection, space: Space) -> Iterator[Row]:
    """All of a user's rows, in order."""
    return (codec.memory_row(row) for row in db.execute(f"{_ROWS} WHERE r.space = ? ORDER BY r.number", (space,)))


def every_source(db: sqlite3.Connection, space: Space) -> Iterator[SourceRecord]:
    """All of a user's quotes, in order."""
    return (_source(row) for row in db.execute("SELECT * FROM sources WHERE space = ? ORDER BY number", (space,)))


def every_change(db: sqlite3.Connection, space: Space) -> Iterator[ChangeRecord]:
    """All of a user's history, in order."""
    return (codec.change(row) for row in db.execute("SELECT * FROM changes WHERE space = ? ORDER BY number", (space,)))


def insert_rows(db: sqlite3.Connection, space: Space, rows: Iterable[Row]) -> None:
    """New versions."""
    db.executemany(
        "INSERT INTO memory_rows VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", [_row_columns(space, row) for row in rows]
    )


def retire_rows(db: sqlite3.Connection, space: Space, retired: Iterable[Retirement]) -> None:
    """Versions that are believed no more."""
    db.executemany(
        "UPDATE memory_rows SET retired = ? WHERE space = ? AND number = ?",
        [(one.by, space, one.number) for one in retired],
    )


def insert_hidings(db: sqlite3.Connection, space: Space, hidings: Iterable[Hiding]) -> None:
    """Turns that are taken out of search."""
    db.executemany(
        "INSERT INTO hidings VALUES (?, ?, ?, ?, ?)",
        [(space, one.turn, one.added, one.origin, one.retired) for one in hidings],
    )


def insert_identities(db: sqlite3.Connection, space: Space, identities: Iterable[Identity]) -> None:
    """What a caller says of entities."""
    db.executemany(
        "INSERT INTO identities VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(space, one.one, one.other, one.same, one.added, one.origin, one.retired) for one in identities],
    )


def insert_changes(
    db: sqlite3.Connection, space: Space, changes: Iterable[ChangeRecord], recorded_at: int, actor: str | None = None
) -> None:
    """The history, with the time that it is recorded at, and who acts where a change does not tell."""
    db.executemany(
        "INSERT INTO changes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        [_change_columns(space, one, recorded_at, actor) for one in changes],
    )


def _count(db: sqlite3.Connection, source: str, values: Sequence[object]) -> int:
    return int(db.execute(f"SELECT count(*) FROM {source}", values).fetchone()[0])


def _select_in(
    db: sqlite3.Connection, query: str, space: Space, values: Iterable[object], suffix: str = ""
) -> list[sqlite3.Row]:
    """`query IN (values)` for one space, in slices of bounded size. Queries are our own constants.

    Slices are filled up to a power of two with what they have already: SQLite takes a statement of a known text as it is, and
    needs as long to read a new one as to run it."""
    wanted = list(dict.fromkeys(values))
    found: list[sqlite3.Row] = []
    for start in range(0, len(wanted), _IN_LIMIT):
        part = wanted[start : start + _IN_LIMIT]
        part += part[:1] * ((1 << (len(part) - 1).bit_length()) - len(part))
        found += db.execute(f"{query} IN ({','.join('?' * len(part))}){suffix}", (space, *part)).fetchall()
    return found


def _changed(
    db: sqlite3.Connection, table: str, added: str, space: Space, since: int, columns: str = "*"
) -> list[sqlite3.Row]:
    """What came or was retired after number `since`, in the order of the primary key, which the columns begin with: without the
    space, unless they are all."""
    parts = [
        f"SELECT {columns} FROM {table} INDEXED BY {table}_by_{column} WHERE space = :space AND {column} > :since"
        for column in (added, "retired")
    ]
    query = f"{' UNION '.join(parts)} ORDER BY 1, 2"
    return db.execute(query, {"space": space, "since": since}).fetchall()


def _scope_condition(scope: Scope, fields: Mapping[str, str]) -> tuple[str, list[object]]:
    parts, values = ["1"], []
    for column, wanted in (("agent_id", scope.agent_id), ("session_id", scope.session_id)):
        if wanted is not None:
            parts.append(f"? IN ({fields[column]})")
            values.append(wanted)
    return " AND ".join(parts), list(values)


def _standing_undos(db: sqlite3.Connection, change_ids: set[str]) -> set[str]:
    undone = set()
    for change_id in change_ids:
        undos = {row["id"] for row in db.execute("SELECT id FROM changes WHERE undoes = ?", (change_id,))}
        if undos - _standing_undos(db, undos):
            undone.add(change_id)
    return undone


def _insert_statements(db: sqlite3.Connection, commit: Commit) -> None:
    space = commit.space
    db.executemany(
        "INSERT INTO passages VALUES (?, ?, 'statement', ?, ?, ?)",
        [
            (space, new.statement.number, codec.blob(new.vector), codec.dump(dict(new.terms)), commit.revision)
            for new in commit.statements
        ],
    )
    db.executemany(
        "INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_statement_columns(space, new.statement) for new in commit.statements],
    )
    mentions: list[tuple[object, ...]] = []
    relations: list[tuple[object, ...]] = []
    entities = _Entities(db, space)
    for new in commit.statements:
        number = new.statement.number
        mentions += [(space, number, entities.number(entity)) for entity in new.entities]
        for one in new.relations:
            ends = entities.number(Entity(one.subject)), one.predicate, entities.number(Entity(one.object))
            relations.append((space, number, *ends))
    db.executemany("INSERT OR IGNORE INTO mentions VALUES (?, ?, ?)", mentions)
    db.executemany("INSERT OR IGNORE INTO relations VALUES (?, ?, ?, ?, ?)", relations)


def _statement_columns(space: Space, one: Statement) -> tuple[object, ...]:
    slot = (one.slot.subject, one.slot.attribute, one.slot.many) if one.slot else (None, None, 0)
    return (
        space,
        one.number,
        one.text,
        one.kind.value,
        *slot,
        one.value,
        *codec.event_columns(one.event),
        one.source.value,
        codec.slot_key(one.slot),
        one.text_key,
    )


class _Entities:
    """The numbers of a user's entities, those that are new made on the way; for one commit."""

    def __init__(self, db: sqlite3.Connection, space: Space) -> None:
        self._db, self._space = db, space
        self._numbers: dict[str, int] = {}

    def number(self, entity: Entity) -> int:
        """That of the entity of this name."""
        key = codec.entity_key(entity.name)
        if key not in self._numbers:
            self._numbers[key] = self._known(key) or self._made(key, entity)
        return self._numbers[key]

    def _known(self, key: str) -> int | None:
        query = "SELECT number FROM entities WHERE space = ? AND key = ?"
        row = self._db.execute(query, (self._space, key)).fetchone()
        return None if row is None else int(row["number"])

    def _made(self, key: str, entity: Entity) -> int:
        count = "UPDATE users SET last_entity = last_entity + 1 WHERE space = ? RETURNING last_entity"
        number = int(self._db.execute(count, (self._space,)).fetchone()["last_entity"])
        columns = (self._space, number, entity.name, key, entity.kind)
        self._db.execute("INSERT INTO entities VALUES (?, ?, ?, ?, ?)", columns)
        return number


def _insert_turn(db: sqlite3.Connection, commit: Commit, number: int, turn: NewTurn) -> None:
    db.execute(
        "INSERT INTO turns (space, number, id, batch_id, agent_id, session_id, role, content, said_at, dated, passage,"
        " committed) VALUES (?, ?, ?, '', ?, ?, 'user', ?, ?, 0, ?, ?)",
        (
            commit.space,
            number,
            turn.id,
            turn.scope.agent_id,
            turn.scope.session_id,
            turn.content,
            to_micros(turn.said_at),
            turn.passage,
            commit.revision,
        ),
    )


def _is_over(user: sqlite3.Row) -> bool:
    """Whether a claim has run out, or its owner runs no more."""
    return bool(user["lease_until"] < to_micros(now()) or is_gone(user["lease_owner"]))


def _check_lease(db: sqlite3.Connection, done: ChunkDone) -> None:
    """The fence: one who hung for longer than his lease commits nothing when he wakes, even where nobody is at work now; nor does
    one who read what was erased since."""
    check_erased(db, done.batch_id, done.n, done.erased_at)
    held = db.execute(
        "SELECT 1 FROM chunks k JOIN batches b ON b.id = k.batch_id"
        " WHERE k.batch_id = ? AND k.n = ? AND k.state <> 'committed' AND b.lease_owner = ?",
        (done.batch_id, done.n, done.owner),
    ).fetchone()
    if held is None:
        raise LeaseLost("another process has taken the batch over", batch_id=done.batch_id)


def _finish_chunk(db: sqlite3.Connection, commit: Commit, at: int) -> None:
    done = commit.done
    if done is None:
        return
    db.execute(
        "UPDATE chunks SET state = 'committed', committed = ? WHERE batch_id = ? AND n = ?",
        (commit.revision, done.batch_id, done.n),
    )
    insert_call(db, done.batch_id, done.n, "reconcile", done.usage)
    db.execute("DELETE FROM facts WHERE batch_id = ? AND chunk = ?", (done.batch_id, done.n))
    db.execute(
        "UPDATE batches SET status = 'done', finished_at = ?1, error = NULL, lease_owner = NULL, lease_until = NULL"
        " WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM chunks WHERE batch_id = ?2 AND state <> 'committed')",
        (at, done.batch_id),
    )


def _last_numbers(commit: Commit) -> tuple[int, int, int]:
    passages = [new.statement.number for new in commit.statements] + [one.passage for one in commit.all_turns]
    return (
        max((row.number for row in commit.rows), default=0),
        max(passages, default=0),
        max((source.number for source in commit.sources), default=0),
    )


def _row_columns(space: Space, row: Row) -> tuple[object, ...]:
    return (
        space,
        row.number,
        row.memory_id,
        row.statement.number,
        to_micros(row.valid_from),
        maybe_micros(row.valid_to),
        row.recorded,
        row.retired,
        codec.dump(dict(row.metadata)),
        maybe_micros(row.expires_at),
        row.quarantined,
        row.restores,
    )


def _change_columns(space: Space, one: ChangeRecord, recorded_at: int, actor: str | None) -> tuple[object, ...]:
    stamped = replace(one, recorded_at=from_micros(recorded_at))
    return (
        space,
        stamped.number,
        stamped.id,
        stamped.op.value,
        stamped.memory_id,
        stamped.row,
        stamped.previous_text,
        codec.dump(stamped.also_ended),
        stamped.reason,
        stamped.flag,
        stamped.batch_id,
        stamped.chunk,
        recorded_at,
        stamped.actor or actor,
        stamped.model,
        stamped.prompt_id,
        stamped.undoes,
    )


def _passages(rows: Sequence[sqlite3.Row]) -> Iterator[PassageRecord]:
    """The term counts are read in one go, which takes half the time, and their terms are kept once."""
    terms = json.loads(f"[{','.join(row['terms'] for row in rows)}]")
    for row, counts in zip(rows, terms, strict=True):
        yield PassageRecord(
            number=row["number"],
            turn=row["turn"],
            terms=counts,
            vector=codec.vector(row["vector"]),
            said_at=row["said_at"] or 0,
            committed=row["committed"] or 0,
            speaker=row["speaker"],
            session=row["session"],
        )


def _span(row: sqlite3.Row, told: sqlite3.Row | None) -> RowSpan:
    return RowSpan(
        row["number"],
        row["statement"],
        row["valid_from"],
        row["valid_to"],
        row["recorded"],
        row["retired"],
        row["expires_at"],
        bool(row["quarantined"]),
        None if told is None or told["event_from"] is None else (told["event_from"], told["event_to"]),
        None if told is None else told["slot_key"],
    )


def _stands(source: sqlite3.Row, at: int | None) -> bool:
    """Whether a source stood at number `at`, or stands now."""
    added, retired = source["added"], source["retired"]
    if at is None:
        return retired is None
    return bool(added <= at and (retired is None or retired > at))


def _source(row: sqlite3.Row) -> SourceRecord:
    return SourceRecord(
        row["number"], row["statement"], row["turn"], row["quote"], row["added"], row["retired"], bool(row["echo"])
    )


def _pending_vector(row: sqlite3.Row) -> PendingVector:
    chunk = None if row["batch_id"] is None else (row["batch_id"], row["n"])
    return PendingVector(Space(row["space"]), row["number"], row["text"], row["turn"] or 0, chunk, row["revised"])


def _hiding(row: sqlite3.Row) -> Hiding:
    return Hiding(row["turn"], row["added"], row["origin"], row["retired"])


def _identity(row: sqlite3.Row) -> Identity:
    return Identity(row["one"], row["other"], bool(row["same"]), row["added"], row["origin"], row["retired"])
