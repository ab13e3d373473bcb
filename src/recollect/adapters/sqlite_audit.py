"""Whether the ledger fits together, asked of it set by set; and mending it from what it has itself.

What is stored twice is compared, what is derived is derived again (keys, term counts), and every row with content must have
its seal (`seals.py`). The invariants that SQL can tell are in `sql/invariants_of_*.sql`.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from ..errors import StoreCorrupt
from ..model import Slot, text_key
from ..ports import Tokenizer
from ..records import Fault, Space
from . import codec, seals
from .database import Database, migrate, named

_INVARIANT = re.compile(r"-- (\w+): (.+?)( \(mends\))?\n(.+?);", re.DOTALL)
_OF_INDEX = re.compile(r"(row \d+ missing from|wrong # of entries in|non-unique entry in) index ")
_DAMAGE = 100  # faults of pages that are told apart
_SLICE = 1_000  # vectors that are looked at together
_UNIT = 1e-3  # how far a vector's length may be from 1
_KEPT = 1_000  # turns of a talk that are kept in mind for those after them
_NOUNS = {
    "memory_rows": "row",
    "hidings": "hidden turn",
    "batches": "batch",
    "entities": "entity",
    "identities": "identity",
}


class SqliteAudit:
    """Implements `ports.Audit` over a `Database`."""

    def __init__(self, database: Database, tokenizer: Tokenizer) -> None:
        self._database = database
        self._tokenizer = tokenizer

    # --- finding -------------------------------------------------------------------------------------------------------

    def of_store(self) -> Iterator[Fault]:
        """What is wrong with the file, its schema, and the journal of all users."""
        with self._database.read() as db:
            yield from _readable(_damage(db), "file")
            yield from _readable(_schema(db), "schema")
            yield from _readable(broken(db, "invariants_of_store.sql", {}), "journal")

    def of_user(self, space: Space, dim: int | None) -> Iterator[Fault]:
        """What is wrong with a user's memories, quotes apart: see `doubtful_quotes`. `dim` None: nothing was embedded yet."""
        with self._database.read() as db:
            for table in seals.KEYS:
                yield from _readable(_unsealed(db, space, table), _noun(table))
            yield from broken(db, "invariants_of_user.sql", {"space": space, "bytes": dim and dim * 4})
            yield from _readable(_derived(db, space, dim, self._tokenizer), "passage")

    def doubtful_quotes(self, space: Space) -> Iterator[tuple[int, str, str]]:
        """(source, quote, text of its turn) where the quote does not stand in the turn letter by letter. Turns out of which
        an erasure took a quote are left out."""
        with self._database.read() as db:
            yield from (
                (row[0], row[1], row[2])
                for row in db.execute(
                    "SELECT s.number, s.quote, t.content FROM sources s JOIN turns t ON t.space = s.space AND t.number = s.turn"
                    " WHERE s.space = ? AND t.blanked = 0 AND (s.quote = '' OR instr(t.content, s.quote) = 0)",
                    (space,),
                )
            )

    def twins(self, space: Space) -> list[int]:
        """Numbers of believed rows that say what another one says, of the same time."""
        with self._database.read() as db:
            found = db.execute(
                "SELECT number FROM (SELECT r.number, count(*) OVER (PARTITION BY m.text_key, m.event_from, m.event_to) AS n"
                " FROM memory_rows r JOIN statements m ON m.space = r.space AND m.number = r.statement"
                " WHERE r.space = ? AND r.retired IS NULL) WHERE n > 1",
                (space,),
            )
            return [row[0] for row in found]

    # --- mending -------------------------------------------------------------------------------------------------------

    def mend_indexes(self) -> None:
        """Make every index of the database anew. Raises StoreCorrupt where the tables cannot be read."""
        with self._database.write() as db:
            db.execute("REINDEX")

    def recount(self) -> int:
        """Count the words of all users anew, where the store's terms are of another tokenizer; how many texts were others. Each
        user's in a transaction of its own, and last of all what tells that it is done: done again where it was cut short."""
        with self._database.read() as db:
            row = db.execute("SELECT value FROM store WHERE key = 'terms'").fetchone()
        if row is not None and row["value"] == self._tokenizer.id:
            return 0
        changed = sum(map(self._recount_user, self._spaces()))
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO store VALUES ('terms', ?)", (self._tokenizer.id,))
        return changed

    def _spaces(self) -> Iterator[Space]:
        """All users, one after the other, those that come meanwhile too."""
        space: Space | None = Space(0)
        while space is not None:
            with self._database.read() as db:
                row = db.execute("SELECT min(space) AS next FROM users WHERE space > ?", (space,)).fetchone()
            space = row["next"]
            if space is not None:
                yield space

    def _recount_user(self, space: Space) -> int:
        with self._database.write() as db:
            if terms := dict(_wrong_terms(db, space, self._tokenizer)):
                _mend_passages(db, space, terms, set())
            return len(terms)

    def mend_user(self, space: Space, dim: int | None) -> None:
        """Put right what follows from the rest, in one transaction: keys, counters, term counts; vectors that are no good are
        pending again. Consumes a number where passages change, so that partitions see them. History is not touched."""
        with self._database.write() as db:
            db.execute(_RAISE_COUNTERS, {"space": space})
            for wrong in list(_wrong_keys(db, space)):
                told = ", ".join(f"{name} = :{name}" for name in wrong.right)
                where = "WHERE space = :space AND number = :number"
                values = {**wrong.right, "space": space, "number": wrong.number}
                db.execute(f"UPDATE OR IGNORE {wrong.table} SET {told} {where}", values)
            terms = dict(_wrong_terms(db, space, self._tokenizer))
            unsealed = {int(one.place) for one in _unsealed(db, space, "passages") if one.mends}
            vectors = unsealed | set(_bad_vectors(db, space, dim))
            if terms or vectors:
                _mend_passages(db, space, terms, vectors)


_RAISE_COUNTERS = """
    UPDATE users SET
      last_row = max(last_row, (SELECT coalesce(max(number), 0) FROM memory_rows WHERE space = :space)),
      last_turn = max(last_turn, (SELECT coalesce(max(number), 0) FROM turns WHERE space = :space)),
      last_passage = max(last_passage, (SELECT coalesce(max(number), 0) FROM passages WHERE space = :space)),
      last_source = max(last_source, (SELECT coalesce(max(number), 0) FROM sources WHERE space = :space)),
      last_entity = max(last_entity, (SELECT coalesce(max(number), 0) FROM entities WHERE space = :space)),
      last_recorded_at = max(last_recorded_at, (SELECT coalesce(max(recorded_at), 0) FROM changes WHERE space = :space)),
      revision = max(revision, (SELECT coalesce(max(number), 0) FROM changes WHERE space = :space))
    WHERE space = :space
"""


def _mend_passages(
    db: sqlite3.Connection, space: Space, terms: Mapping[int, Mapping[str, int]], vectors: set[int]
) -> None:
    taken = db.execute(
        "UPDATE users SET revision = revision + 1 WHERE space = ? RETURNING revision", (space,)
    ).fetchall()
    revision = taken[0]["revision"]
    db.executemany(
        "UPDATE passages SET vector = NULL, revised = ? WHERE space = ? AND number = ?",
        [(revision, space, number) for number in sorted(vectors)],
    )
    db.executemany(
        "UPDATE passages SET terms = ?, revised = ? WHERE space = ? AND number = ?",
        [(codec.dump(dict(counts)), revision, space, number) for number, counts in terms.items()],
    )
    # All of a passage was derived anew, so it may be sealed anew: nothing that was told is in it.
    whole = seals.sealed(seals.columns_of(db, "passages"), "p")
    db.executemany(
        "INSERT OR REPLACE INTO seals"
        f" SELECT space, 'passages', number, {whole} FROM passages p WHERE space = ? AND number = ?",
        [(space, number) for number in sorted(vectors | terms.keys())],
    )


def _readable(found: Iterator[Fault], noun: str) -> Iterator[Fault]:
    """What is found, and in the place of what cannot be read a fault that says so: one more finding, not the end of all."""
    try:
        yield from found
    except (sqlite3.Error, ValueError, TypeError) as error:
        if isinstance(error, sqlite3.Error) and not isinstance(named(error, "read"), StoreCorrupt):
            raise
        yield Fault("stored values that cannot be read", noun, "")


# --- the file ----------------------------------------------------------------------------------------------------------


def _damage(db: sqlite3.Connection) -> Iterator[Fault]:
    """What SQLite finds in its own pages."""
    told = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_DAMAGE})")]
    for index in sorted({one.rsplit(" ", 1)[-1] for one in told if _OF_INDEX.search(one)}):
        yield Fault("an index that does not fit its table", "index", index, mends=True)
    if any(one != "ok" and not _OF_INDEX.search(one) for one in told):
        yield Fault("damaged pages", "file", "")
    for row in db.execute("PRAGMA foreign_key_check"):
        yield Fault("a reference to what is missing", "table", row["table"])


def _schema(db: sqlite3.Connection) -> Iterator[Fault]:
    found = _tables_of(db)
    for name in sorted(found.keys() ^ _tables().keys()):
        yield Fault("a table or index that is missing, or is not ours", "schema", name)
    for name in sorted(name for name, sql in _tables().items() if found.get(name, sql) != sql):
        yield Fault("a table or index that is not as it was made", "schema", name)


@cache
def _tables() -> dict[str, str]:
    """What a fresh ledger has."""
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    migrate(fresh)
    try:
        return _tables_of(fresh)
    finally:
        fresh.close()


def _tables_of(db: sqlite3.Connection) -> dict[str, str]:
    found = db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {row[0]: row[1] for row in found}


# --- invariants in SQL -------------------------------------------------------------------------------------------------


@cache
def _invariants(file: str) -> list[tuple[str, str, bool, str]]:
    """(noun, what is wrong, whether it can be mended, query) of each."""
    text = resources.files("recollect.adapters").joinpath("sql", file).read_text(encoding="utf-8")
    return [(noun, what, bool(mends), query) for noun, what, mends, query in _INVARIANT.findall(text)]


def broken(db: sqlite3.Connection, file: str, values: Mapping[str, object]) -> Iterator[Fault]:
    """The places at which the invariants of a file do not hold."""
    for noun, what, mends, query in _invariants(file):
        yield from _readable(_places(db, query, values, Fault(what, noun, "", mends)), noun)


def _places(db: sqlite3.Connection, query: str, values: Mapping[str, object], fault: Fault) -> Iterator[Fault]:
    yield from (replace(fault, place=str(row[0])) for row in db.execute(query, values))


def _noun(table: str) -> str:
    return _NOUNS.get(table, table.removesuffix("s"))


def _unsealed(db: sqlite3.Connection, space: Space, table: str) -> Iterator[Fault]:
    """Rows that are not as they were written, and seals of rows that are gone. What is in a passage can be derived anew."""
    noun = _noun(table)
    columns, key = seals.columns_of(db, table), seals.key(table, "t")
    changed = db.execute(
        f"SELECT {key} FROM {table} t LEFT JOIN seals s ON s.space = t.space AND s.sealed = '{table}' AND s.key = {key}"
        f" WHERE t.space = ? AND s.seal IS NOT {seals.sealed(columns, 't')}",
        (space,),
    )
    for row in changed:
        if not _proven(db, space, table, row[0]):
            yield Fault("content that is not as it was written", noun, str(row[0]), mends=table == "passages")
    lost = db.execute(
        f"SELECT key FROM seals WHERE space = ?1 AND sealed = '{table}' EXCEPT SELECT {key} FROM {table} t WHERE space = ?1",
        (space,),
    )
    yield from (Fault("something that was written and is missing", noun, str(row[0])) for row in lost)


# --- what is derived ---------------------------------------------------------------------------------------------------


def _derived(db: sqlite3.Connection, space: Space, dim: int | None, tokenizer: Tokenizer) -> Iterator[Fault]:
    for number in _bad_vectors(db, space, dim):
        yield Fault("a vector that is not of unit length", "passage", str(number), mends=True)
    for wrong in _wrong_keys(db, space):
        yield Fault("a key that does not fit its text", _noun(wrong.table), str(wrong.number), mends=True)
    for number, _ in _wrong_terms(db, space, tokenizer):
        yield Fault("term counts that differ from a recount", "passage", str(number), mends=True)


def _bad_vectors(db: sqlite3.Connection, space: Space, dim: int | None) -> Iterator[int]:
    """Passages whose vector, of the right length or not, is no unit vector."""
    import numpy as np

    cursor = db.execute("SELECT number, vector FROM passages WHERE space = ? AND vector IS NOT NULL", (space,))
    while dim is not None and (rows := cursor.fetchmany(_SLICE)):
        fit = [row for row in rows if len(row["vector"]) == dim * 4]
        yield from (row["number"] for row in rows if len(row["vector"]) != dim * 4)
        vectors = np.frombuffer(b"".join(row["vector"] for row in fit), dtype="<f4").reshape(len(fit), dim)
        with np.errstate(all="ignore"):
            off = np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1)
        yield from (fit[place]["number"] for place in np.flatnonzero(~(off <= _UNIT)))


@dataclass(frozen=True, slots=True)
class _WrongKey:
    """A row whose keys must be others."""

    table: str
    number: int
    right: Mapping[str, object]


def _wrong_keys(db: sqlite3.Connection, space: Space) -> Iterator[_WrongKey]:
    """Keys of statements and entities that do not follow from their texts and names."""
    for table, keys_of in _KEYS_OF.items():
        for row in db.execute(f"SELECT * FROM {table} WHERE space = ?", (space,)):
            right = keys_of(row)
            if any(row[name] != value for name, value in right.items()):
                yield _WrongKey(table, row["number"], right)


def _keys_of_statement(row: sqlite3.Row) -> dict[str, object]:
    slot = None if row["subject"] is None else Slot(row["subject"], row["attribute"])
    return {"text_key": text_key(row["text"]), "slot_key": codec.slot_key(slot)}


def _keys_of_entity(row: sqlite3.Row) -> dict[str, object]:
    return {"key": codec.entity_key(row["name"])}


_KEYS_OF: Mapping[str, Callable[[sqlite3.Row], dict[str, object]]] = {
    "statements": _keys_of_statement,
    "entities": _keys_of_entity,
}


def _proven(db: sqlite3.Connection, space: Space, table: str, number: int) -> bool:
    """Whether a row is as it was written but for its keys: with the right ones it has its seal."""
    if table not in _KEYS_OF:
        return False
    row = db.execute(f"SELECT * FROM {table} WHERE space = ? AND number = ?", (space, number)).fetchone()
    kept = db.execute(
        "SELECT seal FROM seals WHERE space = ? AND sealed = ? AND key = ?", (space, table, number)
    ).fetchone()
    known = {**dict(row), **_KEYS_OF[table](row)}
    values = [known[name] for name, _ in seals.columns_of(db, table)]
    made = seals.seal(*(value.encode() if isinstance(value, str) else value for value in values))
    return kept is not None and kept["seal"] == made


def _wrong_terms(db: sqlite3.Connection, space: Space, tokenizer: Tokenizer) -> Iterator[tuple[int, dict[str, int]]]:
    """(passage, its right term counts) where they differ from a recount."""
    stated = db.execute(
        "SELECT p.number, p.terms, m.text FROM passages p JOIN statements m ON m.space = p.space AND m.number = p.number"
        " WHERE p.space = ? AND p.kind = 'statement'",
        (space,),
    )
    for row in stated:
        if _read(row["terms"]) != (right := tokenizer(row["text"])):
            yield row["number"], right
    said = db.execute(
        "SELECT t.*, p.terms FROM turns t LEFT JOIN passages p ON p.space = t.space AND p.number = t.passage AND p.kind = 'turn'"
        " WHERE t.space = ? ORDER BY t.batch_id = '', coalesce(t.session_id, t.batch_id), t.number",
        (space,),
    )
    talk, before = None, deque[dict[str, int]](maxlen=_KEPT)
    for row in said:
        if talk != (talk := row["session_id"] or row["batch_id"]):
            before.clear()
        own = tokenizer(line(row))
        if row["terms"] is not None:
            yield from _recounted(row, own, before)
        before.append(own)


def _recounted(
    row: sqlite3.Row, own: dict[str, int], before: deque[dict[str, int]]
) -> Iterator[tuple[int, dict[str, int]]]:
    """A turn's terms are its own and those of the turn before it, as far as that was to be seen when it was told."""
    known = _read(row["terms"])
    if known != own and all(known != _sum(one, own) for one in reversed(before)):
        yield row["passage"], _sum(before[-1], own) if before else own


def line(row: sqlite3.Row) -> str:
    """As `prepare.turn_texts` writes it; what a caller corrected by hand stands for itself."""
    return f"{codec.turn(row, None).speaker}: {row['content']}" if row["batch_id"] else row["content"]


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {term: one.get(term, 0) + other.get(term, 0) for term in (*one, *other)}


def _read(terms: str) -> object:
    try:
        return json.loads(terms)
    except ValueError:
        return None
