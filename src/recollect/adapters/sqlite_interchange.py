"""Interchange files, the ledger's side: what a user's part is made of (`sql/interchange.sql`), and taking one in.

Numbers of a part are shifted past those that its user was given before: one who was erased has some. Statements and turns get
passages of their own. What follows from the rest is never read from a file: keys, term counts, counters, seals.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Any

from ..errors import ImportInvalid, TargetExists
from ..ids import IdKind
from ..model import Message, Role, Row, Slot, text_key
from ..ports import Tokenizer
from ..records import EmbedderKey, Fault, History, Removal, Space
from ..times import at_offset, from_micros
from . import codec
from .database import Database, faults_named
from .sqlite_audit import broken, line
from .sqlite_backup import partial, placed, refuse_target
from .sqlite_erasure import SqliteErasure
from .sqlite_export import SECTION, record, rows
from .sqlite_journal import ensure_space
from .sqlite_ledger import check_embedder, check_terms, memory_rows, recorded_embedder
from .tombstones import ERASED, buried, imported_id

_AT_ONCE = 500  # lines between two reports
_KEPT = 64  # turns whose terms are kept in mind for those after them
_FLAGS = frozenset(("infer", "retells", "successive", "dated", "blanked", "many", "quarantined", "same", "echo"))
_OWNER: Mapping[IdKind, str] = {
    "mem": "SELECT space FROM memory_rows WHERE memory_id = ?1 LIMIT 1",
    "chg": "SELECT space FROM changes WHERE id = ?1",
    "turn": "SELECT space FROM turns WHERE id = ?1",
    "batch": "SELECT space FROM batches WHERE id = ?1 UNION SELECT space FROM changes WHERE batch_id = ?1 LIMIT 1",
}
_BEFORE = (
    "SELECT * FROM turns t WHERE space = :space AND {talk} AND number < :number AND batch_id <> '' AND (number >= :first"
    " OR NOT EXISTS (SELECT 1 FROM hidings h WHERE h.space = t.space AND h.turn = t.number AND h.added < :committed"
    " AND (h.retired IS NULL OR h.retired > :committed))) ORDER BY number DESC LIMIT 1"
)
_ANYTHING = (
    *(f"SELECT 1 FROM {table} WHERE space = ? LIMIT 1" for table in ("turns", "changes", "memory_rows")),
    "SELECT 1 FROM batches WHERE space = ? AND status <> 'done' LIMIT 1",
)
_LAST = ("last_turn", "last_row", "last_source", "last_entity")
_GONE = {
    "gone_rows": ("memory_rows", "last_row"),
    "gone_sources": ("sources", "last_source"),
    "gone_entities": ("entities", "last_entity"),
}


class SqliteInterchange:
    """Implements `ports.Interchange` over a `Database`."""

    def __init__(self, database: Database, tokenizer: Tokenizer, erasure: SqliteErasure) -> None:
        self._database, self._tokenizer, self._erasure = database, tokenizer, erasure

    # --- giving out ----------------------------------------------------------------------------------------------------

    def write(
        self,
        spaces: Sequence[tuple[Space, str | None]] | None,
        target: Path,
        *,
        exported_at: datetime,
        vectors: bool,
        overwrite: bool,
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        """Users (None: all) into a file that its owner alone can read; how many lines of which type."""
        with faults_named("export"):
            refuse_target(self._database.path.parent, target, overwrite=overwrite)
            with self._database.read() as db, partial(target) as part:
                whom = _users(db) if spaces is None else spaces
                with part.open("w", encoding="utf-8", newline="\n") as file:
                    told = _written(db, file, whom, exported_at, vectors=vectors, progress=progress)
                placed(part, target)
        return told

    # --- taking in -----------------------------------------------------------------------------------------------------

    def standing(self, user_id: str | None) -> tuple[Space | None, bool]:
        """The user's key, None where there is none; and whether there is anything of the user's."""
        with self._database.read() as db:
            found = db.execute("SELECT space FROM users WHERE name = ?", (codec.space_name(user_id),)).fetchone()
            space = None if found is None else Space(found["space"])
            return space, space is not None and _has_any(db, space)

    def holds(self, space: Space, user_id: str | None, kind: IdKind, identifier: str) -> bool:
        """Whether something was taken in for the user before, under its own id or under the one that it got."""
        with self._database.read() as db:
            ids = (identifier, imported_id(db, codec.space_name(user_id), kind, identifier))
            owners = [db.execute(_OWNER[kind], (one,)).fetchone() for one in ids]
            return any(row is not None and row["space"] == space for row in owners)

    def is_buried(self, space: Space, content: str, said_at: int) -> bool:
        """Whether a turn of that text was erased, and may not come back."""
        with self._database.read() as db:
            return _is_buried(db, space, content, said_at)

    @contextmanager
    def taking(
        self, user_id: str | None, *, fresh_ids: bool, embedder: EmbedderKey | None, at: datetime
    ) -> Iterator[Taking]:
        """One transaction, rolled back whole on any error. Raises TargetExists where there is something of the user's by now."""
        with self._database.write() as db:
            check_terms(db, self._tokenizer.id)
            check_embedder(db, embedder)
            space = ensure_space(db, user_id)
            if _has_any(db, space):
                raise TargetExists("the user has memories here by now", stage="import")
            yield Taking(
                db, space, codec.space_name(user_id), self._tokenizer, self._erasure, embedder, at, fresh_ids=fresh_ids
            )


class Taking:
    """A user's part on its way in. `put` takes its lines one by one, `settle` brings it to its end."""

    def __init__(
        self,
        db: sqlite3.Connection,
        space: Space,
        name: str,
        tokenizer: Tokenizer,
        erasure: SqliteErasure,
        embedder: EmbedderKey | None,
        at: datetime,
        *,
        fresh_ids: bool,
    ) -> None:
        self._db, self.space, self._name, self._fresh = db, space, name, fresh_ids
        self._tokenizer, self._erasure, self._at = tokenizer, erasure, at
        self._dim = None if embedder is None else embedder.dim
        self._base = db.execute("SELECT * FROM users WHERE space = ?", (space,)).fetchone()
        self._number = int(self._base["revision"])
        self._passages = int(self._base["last_passage"])
        self._statements = 0  # passages are given to them first, in their own order; turns before them took theirs
        self._first_statement = 0
        self._last = Counter[str]()
        self._merged: dict[int, int] = {}  # entities whose names became one → the other's number
        self._bare = {row["id"] for row in db.execute("SELECT id FROM batches WHERE space = ?", (space,))}
        self._known: dict[int, dict[str, int]] = {}  # terms of the last turns
        self._puts: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "batch": self._batch, "chunk": self._chunk, "fact": self._fact, "rejected": self._rejected,
            "hiding": self._hiding, "turn": self._turn, "change": self._change, "entity": self._entity,
            "statement": self._statement, "version": self._version, "source": self._source, "identity": self._identity,
        }  # fmt: skip
        self.revision = self._number
        self.buried: set[int] = set()

    def begin(self, revision: int) -> None:
        """Where the user's numbers are to stand in the end."""
        self.revision = self._number + revision

    def put(self, kind: str, fields: dict[str, Any]) -> None:
        """One line. Raises ImportInvalid where it does not fit those before it."""
        try:
            self._puts[kind](fields)
        except sqlite3.IntegrityError:
            raise ImportInvalid(f"this {kind} is there twice, or breaks what a {kind} must be") from None

    # --- lines ---------------------------------------------------------------------------------------------------------

    def _insert(self, table: str, f: Mapping[str, Any], same: str, **others: object) -> None:
        """A row of the user's: columns that a line has under their own names, and others."""
        row = {"space": self.space, **{name: f[name] for name in same.split()}, **others}
        names, marks = ", ".join(row), ", ".join("?" * len(row))  # names of ours
        self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))

    def _own(self, kind: IdKind, identifier: str | None) -> str | None:
        """The id that something gets: its own where that is free, else one that follows from it and the user's name."""
        if identifier is None:
            return None
        row = None if self._fresh else self._db.execute(_OWNER[kind], (identifier,)).fetchone()
        if not self._fresh and (row is None or row["space"] == self.space):
            return identifier
        return imported_id(self._db, self._name, kind, identifier)

    def _at_number(self, number: int | None, what: str) -> int | None:
        """A number of the file as one of the ledger's; the highest of each sort is kept."""
        return None if number is None else self._shifted(number, what)

    def _shifted(self, number: int, what: str) -> int:
        shifted = int(self._base[what]) + number
        self._last[what] = max(self._last[what], shifted)
        return shifted

    def _change_number(self, number: int | None) -> int | None:
        if number is None:
            return None
        if self._number + number > self.revision:
            raise ImportInvalid("a number that the user has not reached")
        return self._number + number

    def _batch(self, f: dict[str, Any]) -> None:
        options = {"metadata": f["metadata"], "expires_at": f["expires_at"], "instructions": f["instructions"]}
        options |= {"retells": True} if f["retells"] else {}
        options |= {"dropped": f["dropped"]} if f["dropped"] else {}
        options |= {"successive": True} if f["successive"] else {}
        key, own = f["idempotency_key"], self._own("batch", f["id"])
        if own in self._bare:  # what an erasure left of the very batch
            self._bare.remove(own)
            self._db.execute("DELETE FROM chunks WHERE batch_id = ? AND space = ?", (own, self.space))
            self._db.execute("DELETE FROM batches WHERE id = ? AND space = ?", (own, self.space))
        self._insert(
            "batches",
            f,
            "agent_id session_id status created_at finished_at infer digest attempts error",
            id=own,
            options=codec.dump(options),
            idempotency_key=None if key and key.startswith(ERASED) else key,
            redacted=codec.dump(f["redacted"]),
        )

    def _chunk(self, f: dict[str, Any]) -> None:
        self._insert(
            "chunks",
            f,
            "n state model prompt_id erased",
            batch_id=self._batch_of(f),
            first_turn=self._at_number(f["first_turn"], "last_turn"),
            last_turn=self._at_number(f["last_turn"], "last_turn"),
            committed=self._change_number(f["committed"]),
        )

    def _batch_of(self, f: Mapping[str, Any]) -> str:
        """The batch of a line that stands behind it: one of this user's."""
        own = self._own("batch", f["batch_id"])
        found = self._db.execute("SELECT 1 FROM batches WHERE id = ? AND space = ?", (own, self.space)).fetchone()
        if own is None or found is None:
            raise ImportInvalid("of a batch that the user does not have")
        return own

    def _fact(self, f: dict[str, Any]) -> None:
        fact = f["fact"]
        for evidence in fact["evidence"]:
            evidence["turn_id"] = self._own("turn", evidence["turn_id"])
        self._db.execute(
            "INSERT INTO facts VALUES (?, ?, ?, ?)", (self._batch_of(f), f["chunk"], f["n"], codec.dump(fact))
        )

    def _rejected(self, f: dict[str, Any]) -> None:
        values = (self._batch_of(f), f["chunk"], f["n"], f["text"], f["reason"])
        self._db.execute("INSERT INTO rejected VALUES (?, ?, ?, ?, ?)", values)

    def _hiding(self, f: dict[str, Any]) -> None:
        turn = self._at_number(f["turn"], "last_turn")
        self._insert("hidings", f, "", turn=turn, **self._changes_of(f, "added", "origin", "retired"))

    def _changes_of(self, f: Mapping[str, Any], *names: str) -> dict[str, int | None]:
        return {name: self._change_number(f[name]) for name in names}

    def _turn(self, f: dict[str, Any]) -> None:
        number = self._shifted(f["number"], "last_turn")
        batch_id = "" if f["batch_id"] is None else self._batch_of(f)
        committed = self._change_number(f["committed"])
        if _is_buried(self._db, self.space, f["content"], f["said_at"]):
            self.buried.add(number)
        self._insert(
            "turns",
            f,
            "agent_id session_id role name content said_at utc_offset dated blanked",
            number=number,
            id=self._own("turn", f["id"]),
            batch_id=batch_id,
            metadata=codec.dump(f["metadata"]),
            committed=committed,
            passage=None if committed is None else self._passages + 1,
        )
        if committed is not None:
            row = self._db.execute(
                "SELECT * FROM turns WHERE space = ? AND number = ?", (self.space, number)
            ).fetchone()
            self._passage("turn", self._terms_of(row), f["vector"])

    def _terms_of(self, row: sqlite3.Row) -> dict[str, int]:
        """As `prepare.turn_terms` counts them: a turn's own, and those of the turn before it that was to be seen then."""
        own = self._own_terms(row)
        if not row["batch_id"]:
            return own
        talk = "session_id = :talk" if row["session_id"] else "session_id IS NULL AND batch_id = :talk"
        first = self._db.execute(
            "SELECT first_turn FROM chunks WHERE batch_id = ? AND ? BETWEEN first_turn AND last_turn",
            (row["batch_id"], row["number"]),
        ).fetchone()
        values = {
            "space": self.space, "talk": row["session_id"] or row["batch_id"], "number": row["number"],
            "first": row["number"] if first is None else first["first_turn"], "committed": row["committed"],
        }  # fmt: skip
        before = self._db.execute(_BEFORE.format(talk=talk), values).fetchone()
        return own if before is None else dict(Counter(own) + Counter(self._own_terms(before)))

    def _own_terms(self, row: sqlite3.Row) -> dict[str, int]:
        number = row["number"]
        if number not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[number] = self._tokenizer(line(row))
        return self._known[number]

    def _passage(self, kind: str, terms: dict[str, int], vector: str | None) -> None:
        self._passages += 1
        data = None if vector is None or self._dim is None else _unit(vector, self._dim)
        values = (self.space, self._passages, kind, data, codec.dump(terms), self.revision)
        self._db.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)", values)

    def _change(self, f: dict[str, Any]) -> None:
        self._insert(
            "changes",
            f,
            "op previous_text reason flag chunk recorded_at actor model prompt_id",
            number=self._change_number(f["number"]),
            id=self._own("chg", f["id"]),
            memory_id=self._own("mem", f["memory_id"]),
            row=self._at_number(f["row"], "last_row"),
            also_ended=codec.dump(f["also_ended"]),
            batch_id=self._own("batch", f["batch_id"]),
            undoes=self._own("chg", f["undoes"]),
        )

    def _entity(self, f: dict[str, Any]) -> None:
        number, key = self._at_number(f["number"], "last_entity"), codec.entity_key(f["name"])
        same = self._db.execute("SELECT number FROM entities WHERE space = ? AND key = ?", (self.space, key)).fetchone()
        if same is not None and number is not None:  # two names that a redaction made one
            self._merged[number] = same["number"]
            return
        self._insert("entities", f, "name", number=number, key=key, kind=f["kind_of"])

    def _entity_number(self, number: int) -> int:
        shifted = self._shifted(number, "last_entity")
        return self._merged.get(shifted, shifted)

    def _statement(self, f: dict[str, Any]) -> None:
        if not self._statements:
            self._first_statement = self._passages
        self._statements += 1
        slot = None if f["subject"] is None else Slot(f["subject"], f["attribute"])
        self._passage("statement", self._tokenizer(f["text"]), f["vector"])
        number = self._passages
        self._insert(
            "statements",
            f,
            "text subject attribute many value event_from event_to event_precision source",
            number=number,
            kind=f["kind_of"],
            slot_key=codec.slot_key(slot),
            text_key=text_key(f["text"]),
        )
        for entity in {self._entity_number(one) for one in f["entities"]}:
            self._insert("mentions", f, "", statement=number, entity=entity)
        for one, predicate, other in f["relations"]:
            ends = (self._entity_number(one), predicate, self._entity_number(other))
            self._db.execute("INSERT OR IGNORE INTO relations VALUES (?, ?, ?, ?, ?)", (self.space, number, *ends))

    def _statement_number(self, number: int) -> int:
        if number > self._statements:
            raise ImportInvalid("of a statement that the user does not have")
        return self._first_statement + number

    def _version(self, f: dict[str, Any]) -> None:
        self._insert(
            "memory_rows",
            f,
            "valid_from valid_to expires_at quarantined",
            number=self._at_number(f["number"], "last_row"),
            memory_id=self._own("mem", f["memory_id"]),
            statement=self._statement_number(f["statement"]),
            metadata=codec.dump(f["metadata"]),
            restores=self._at_number(f["restores"], "last_row"),
            **self._changes_of(f, "recorded", "retired"),
        )

    def _source(self, f: dict[str, Any]) -> None:
        self._insert(
            "sources",
            f,
            "quote echo",
            number=self._at_number(f["number"], "last_source"),
            statement=self._statement_number(f["statement"]),
            turn=self._at_number(f["turn"], "last_turn"),
            **self._changes_of(f, "added", "retired"),
        )

    def _identity(self, f: dict[str, Any]) -> None:
        one, other = sorted((self._entity_number(f["one"]), self._entity_number(f["other"])))
        if one != other:
            changes = self._changes_of(f, "added", "origin", "retired")
            self._insert("identities", f, "same", one=one, other=other, **changes)

    # --- the end -------------------------------------------------------------------------------------------------------

    def quotes(self) -> Iterator[tuple[int, str, int, str]]:
        """(source, quote, turn, its text) where the quote does not stand in the turn letter by letter. Turns out of which an
        erasure took a quote are left out."""
        query = (
            "SELECT s.number, s.quote, t.number, t.content FROM sources s JOIN turns t ON t.space = s.space AND t.number = s.turn"
            " WHERE s.space = ? AND s.number > ? AND t.blanked = 0 AND instr(t.content, s.quote) = 0 ORDER BY s.number LIMIT 100"
        )
        last = 0
        while some := self._db.execute(query, (self.space, last)).fetchall():
            last = some[-1][0]
            yield from ((row[0], row[1], row[2], row[3]) for row in some)

    def quote(self, source: int, text: str) -> None:
        """Word a quote anew."""
        self._db.execute("UPDATE sources SET quote = ? WHERE space = ? AND number = ?", (text, self.space, source))

    def alike(self) -> list[Row]:
        """Believed versions that say what another one says, of the same time."""
        return memory_rows(
            self._db,
            self.space,
            "r.number IN (SELECT number FROM (SELECT r.number, count(*) OVER (PARTITION BY m.text_key, m.event_from, m.event_to)"
            " AS n FROM memory_rows r JOIN statements m ON m.space = r.space AND m.number = r.statement"
            " WHERE r.space = :space AND r.retired IS NULL) WHERE n > 1)",
        )

    def settle(self) -> Fault | None:
        """Set the user's counters; the first thing that does not fit together then."""
        recorded = self._db.execute("SELECT max(recorded_at) FROM changes WHERE space = ?", (self.space,)).fetchone()
        set_to = {
            "revision": self.revision,
            "cleared_at": self.revision,
            "last_recorded_at": max(self._base["last_recorded_at"], recorded[0] or 0),
            "last_passage": self._passages,
            **{name: max(self._last[name], self._base[name]) for name in _LAST},
        }
        for what, (table, last) in _GONE.items():
            query = f"SELECT count(*) FROM {table} WHERE space = ?"
            there = self._db.execute(query, (self.space,)).fetchone()[0]
            set_to[what] = self._base[what] + set_to[last] - self._base[last] - there
        told = ", ".join(f"{name} = ?" for name in set_to)
        self._db.execute(f"UPDATE users SET {told} WHERE space = ?", (*set_to.values(), self.space))
        values = {"space": self.space, "bytes": self._dim and self._dim * 4}
        fault = next(broken(self._db, "invariants_of_user.sql", values), None)
        if fault is None:
            with _of_user_alone(self._db, self.space):
                fault = next(broken(self._db, "invariants_of_store.sql", {}), None)
        return fault

    def waiting(self) -> int:
        """How many texts have no vector."""
        query = "SELECT count(*) FROM passages WHERE space = ? AND vector IS NULL"
        return int(self._db.execute(query, (self.space,)).fetchone()[0])

    def forget(self, plan: Callable[[History], Removal]) -> None:
        """Erase some of it again, in the same transaction."""
        self._erasure.erase_within(self._db, self.space, plan, self._at)


@contextmanager
def _of_user_alone(db: sqlite3.Connection, space: Space) -> Iterator[None]:
    """Have the tables of the journal show one user's rows: invariants over all users are those of one then."""
    tables = ("turns", "passages", "memory_rows", "changes", "chunks", "batches")
    own = {table: f"SELECT * FROM main.{table} WHERE space = {int(space)}" for table in tables}
    of_batches = f"batch_id IN (SELECT id FROM main.batches WHERE space = {int(space)})"
    own |= {table: f"SELECT * FROM main.{table} WHERE {of_batches}" for table in ("facts", "rejected", "calls")}
    for table, query in own.items():
        db.execute(f"CREATE TEMP VIEW {table} AS {query}")
    try:
        yield
    finally:
        for table in own:
            db.execute(f"DROP VIEW temp.{table}")


def _has_any(db: sqlite3.Connection, space: Space) -> bool:
    """Whether there is anything of a user's; the bare batches of one who was erased are nothing."""
    return any(db.execute(query, (space,)).fetchone() is not None for query in _ANYTHING)


def _is_buried(db: sqlite3.Connection, space: Space, content: str, said_at: int) -> bool:
    said = Message(Role.USER, content, timestamp=from_micros(said_at))
    return bool(buried(db, space, [said], from_micros(said_at)))


def _unit(vector: str, dim: int) -> bytes:
    """A vector's bytes. Raises ImportInvalid where it is none of unit length."""
    import numpy as np

    try:
        data = base64.b64decode(vector, validate=True)
    except ValueError:
        raise ImportInvalid("vector: not base64") from None
    if len(data) != dim * 4:
        raise ImportInvalid("vector: of another dimension than the header says")
    with np.errstate(all="ignore"):
        length = np.linalg.norm(np.frombuffer(data, "<f4").astype(np.float64))
    if not abs(length - 1) <= 1e-3:
        raise ImportInvalid("vector: not of unit length")
    return data


# --- lines of a file -----------------------------------------------------------------------------------------------------


@cache
def sections() -> dict[str, str]:
    """The query of each type of line, in order."""
    text = resources.files(__package__).joinpath("sql", "interchange.sql").read_text("utf-8")
    return dict(SECTION.findall(text))


def _users(db: sqlite3.Connection) -> list[tuple[Space, str | None]]:
    """All users of whom there is anything."""
    found = db.execute("SELECT space, name FROM users ORDER BY space").fetchall()
    known = [(Space(row["space"]), codec.user_of(row["name"])) for row in found if not row["name"].startswith(ERASED)]
    return [(space, user_id) for space, user_id in known if _has_any(db, space)]


def _written(
    db: sqlite3.Connection,
    file: IO[str],
    users: Sequence[tuple[Space, str | None]],
    exported_at: datetime,
    *,
    vectors: bool,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    embedder = recorded_embedder(db) if vectors else None
    head: dict[str, Any] = {
        "type": "header",
        "format": "recollect",
        "version": 1,
        "exported_at": exported_at.isoformat(),
    }
    head["embedder"] = None if embedder is None else {"id": embedder.id, "dim": embedder.dim}
    tables = ("batches", "turns", "changes", "statements", "memory_rows", "sources", "entities")
    spaces = [space for space, _ in users]
    total = sum(_counted(db, table, spaces) for table in tables)
    every, done = Counter[str](), 0

    def say(fields: Mapping[str, Any]) -> None:
        file.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n")

    say(head)
    for space, user_id in users:
        revision = db.execute("SELECT revision FROM users WHERE space = ?", (space,)).fetchone()["revision"]
        say({"type": "user", "user_id": user_id, "revision": revision})
        own = Counter[str]()
        for kind, query in sections().items():
            for row in rows(db, query, space):
                say(_line(kind, row, vectors=embedder is not None))
                own[kind] += 1
                done += 1
                if done % _AT_ONCE == 0:
                    progress(done, max(done, total))
        say({"type": "user_end", "counts": dict(own)})
        every += own
    say({"type": "end", "users": len(users), "counts": dict(every)})
    progress(done, done)
    return {
        "exported_at": head["exported_at"],
        "users": len(users),
        "counts": dict(every),
        "embedder": head["embedder"],
    }


def _counted(db: sqlite3.Connection, table: str, spaces: Sequence[Space]) -> int:
    """For the progress alone; not exact, for a part has lines of other tables too."""
    query = f"SELECT count(*) FROM {table} WHERE space IN (SELECT value FROM json_each(?))"
    return int(db.execute(query, (json.dumps(spaces),)).fetchone()[0])


def _line(kind: str, row: sqlite3.Row, *, vectors: bool) -> dict[str, Any]:
    fields = record(row)
    if kind == "turn":
        fields["said_at"] = at_offset(from_micros(row["said_at"]), fields.pop("utc_offset")).isoformat()
    if not vectors:
        fields.pop("vector", None)
    told = {name: bool(value) if name in _FLAGS else value for name, value in fields.items() if value is not None}
    return {"type": kind, **told}
