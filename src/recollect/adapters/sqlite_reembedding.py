"""New vectors beside the old ones, and the one transaction in which they take their place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import StoreBusy
from ..owners import is_gone
from ..records import Claim, EmbedderRecord, PendingVector, Space
from ..times import to_micros
from . import codec
from .database import Database
from .sqlite_ledger import recorded_embedder, waiting

if TYPE_CHECKING:
    from ..ports import Vectors

TARGET, LEASE = "reembedding", "reembedding_lease"  # settings of the store

# Without their new vector. A lookup per passage: there may be millions on either side.
_MISSING = "NOT EXISTS (SELECT 1 FROM reembedded n WHERE n.space = p.space AND n.passage = p.number)"


class SqliteReembedding:
    """Implements `ports.Reembedding` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def target(self) -> EmbedderRecord | None:
        """The embedder that is under way."""
        with self._database.read() as db:
            return _target(db)

    def claim(self, target: EmbedderRecord, owner: str, now: datetime, until: datetime) -> Claim:
        """Take the lease; see `ports.Reembedding`."""
        with self._database.write() as db:
            under_way, holder = _target(db), _holder(db, now)
            same = under_way is not None and under_way.key == target.key
            if under_way is not None and holder not in (None, owner):
                if same:
                    return "theirs"
                raise StoreBusy(f"the store is being embedded anew by {under_way.key} already", stage="lease")
            if not same:
                _forget(db)
            if recorded_embedder(db) == target.key:
                _forget(db)
                return "done"
            _set(db, TARGET, asdict(target))
            _lease(db, owner, until)
            return "ours"

    def progress(self) -> tuple[int, int]:
        """(passages with their new vector, all)."""
        with self._database.read() as db:
            done, every = (db.execute(f"SELECT count(*) FROM {table}") for table in ("reembedded", "passages"))
            return done.fetchone()[0], every.fetchone()[0]

    def missing(self, after: tuple[Space, int], limit: int) -> list[PendingVector]:
        """Passages without a new vector."""
        with self._database.read() as db:
            which = f"WHERE (p.space, p.number) > (?, ?) AND {_MISSING} ORDER BY p.space, p.number LIMIT ?"
            return waiting(db, "passages p", which, (*after, limit))

    def keep(self, owner: str, until: datetime, vectors: Sequence[tuple[PendingVector, Vectors]]) -> None:
        """Put new vectors beside the old ones; passages that are gone or reworded meanwhile are passed over."""
        with self._database.write() as db:
            _insist(db, owner)
            _lease(db, owner, until)
            db.executemany(
                "INSERT OR IGNORE INTO reembedded SELECT space, number, ?4 FROM passages WHERE space = ?1 AND number = ?2"
                " AND revised = ?3",
                [(one.space, one.passage, one.revised, codec.blob(vector)) for one, vector in vectors],
            )

    def switch(self, owner: str, leaving: int) -> bool:
        """Put the new vectors in the place of the old ones."""
        with self._database.write() as db:
            _insist(db, owner)
            target = _target(db)
            rest = f"SELECT count(*) FROM (SELECT 1 FROM passages p WHERE {_MISSING} LIMIT ?)"
            if target is None or db.execute(rest, (leaving + 1,)).fetchone()[0] > leaving:
                return False
            db.execute(
                "UPDATE passages SET vector ="
                " (SELECT n.vector FROM reembedded n WHERE n.space = passages.space AND n.passage = passages.number)"
            )
            _set(db, "embedder", asdict(target))
            _forget(db)
            db.execute("UPDATE users SET revision = revision + 1, cleared_at = revision + 1")
            return True

    def release(self, owner: str) -> None:
        """Give the lease back."""
        with self._database.read() as db:
            held = _owner(db) == owner
        if held:  # a store that cannot be written is closed without writing
            with self._database.write(durable=False) as db:
                if _owner(db) == owner:
                    db.execute("DELETE FROM store WHERE key = ?", (LEASE,))


def _setting(db: sqlite3.Connection, key: str, default: Any = None) -> Any:
    row = db.execute("SELECT value FROM store WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row["value"])


def _set(db: sqlite3.Connection, key: str, value: object) -> None:
    db.execute("INSERT OR REPLACE INTO store VALUES (?, ?)", (key, json.dumps(value)))


def _target(db: sqlite3.Connection) -> EmbedderRecord | None:
    known = _setting(db, TARGET)
    return None if known is None else EmbedderRecord(**known)


def _holder(db: sqlite3.Connection, now: datetime) -> str | None:
    """Who holds the lease and is still there."""
    lease = _setting(db, LEASE)
    if lease is None or lease["until"] < to_micros(now) or is_gone(lease["owner"]):
        return None
    return str(lease["owner"])


def _owner(db: sqlite3.Connection) -> str | None:
    lease = _setting(db, LEASE)
    return None if lease is None else str(lease["owner"])


def _lease(db: sqlite3.Connection, owner: str, until: datetime) -> None:
    _set(db, LEASE, {"owner": owner, "until": to_micros(until)})


def _insist(db: sqlite3.Connection, owner: str) -> None:
    if _owner(db) != owner:
        raise StoreBusy("another process has taken the reembed over", stage="lease")


def _forget(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM reembedded")
    db.execute("DELETE FROM store WHERE key IN (?, ?)", (TARGET, LEASE))
