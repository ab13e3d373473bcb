"""Open chunks: conversations that come message by message, journalled at once and closed later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from ..failpoints import reach
from ..ids import new_id
from ..model import Message, Role, Turn
from ..records import Kept, NewTurns, Space
from ..times import maybe_micros, maybe_time, to_micros
from .codec import dump, turn
from .database import Database
from .sqlite_journal import ensure_space, insert_messages
from .tombstones import buried

LOOKS_BACK = 32  # turns of the session, among which repeated messages are looked for


class SqliteTalks:
    """Implements `ports.Talks` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hear(self, heard: NewTurns) -> Kept:
        """One transaction; see `ports.Talks`."""
        with self._database.write() as db:
            kept = _Hearing(db, heard).kept()
        reach("talk.heard")
        return kept

    def close(
        self, space: Space | None = None, session_id: str | None = None, *, idle_at: datetime | None = None
    ) -> list[str]:
        """Close what is open; see `ports.Talks`."""
        limits = {"space = ?": space, "session_id = ?": session_id, "closes_at <= ?": maybe_micros(idle_at)}
        which = " AND ".join(limit for limit, value in limits.items() if value is not None)
        values = [value for value in limits.values() if value is not None]
        with self._database.read() as db:
            if not _open(db, which, values):
                return []  # as nearly always: nothing is written
        with self._database.write() as db:
            closed = close_open(db, which, values)
        reach("talk.closed")
        return closed


def close_open(db: sqlite3.Connection, which: str, values: Sequence[object]) -> list[str]:
    """Close open batches; the numbers that their chunks did not need stay unused."""
    closed = _open(db, which, values)
    for batch_id in closed:
        db.execute(
            "UPDATE chunks SET state = 'closed', last_turn = (SELECT max(t.number) FROM turns t WHERE t.space = chunks.space"
            " AND t.number BETWEEN chunks.first_turn AND chunks.last_turn) WHERE batch_id = ?",
            (batch_id,),
        )
        db.execute("UPDATE batches SET status = 'pending', closes_at = NULL WHERE id = ?", (batch_id,))
    return closed


def _open(db: sqlite3.Connection, which: str, values: Sequence[object]) -> list[str]:
    # A user's by the index of sessions, else all that are unfinished are looked through (+ keeps that one from being walked).
    status = "status = 'open'" if "space = ?" in which else "status <> 'done' AND +status = 'open'"
    found = db.execute(
        f"SELECT id FROM batches WHERE {status}{which and ' AND '}{which} ORDER BY created_at, id", values
    )
    return [row["id"] for row in found]


class _Hearing:
    """One `hear`, step by step, within its transaction."""

    def __init__(self, db: sqlite3.Connection, heard: NewTurns) -> None:
        self._db, self._heard = db, heard
        self._space = ensure_space(db, heard.scope.user_id)
        self._closed: list[str] = []

    def kept(self) -> Kept:
        tail = self._tail()
        new = self._new(tail)
        if new and not tail:
            self._close_others()
        open_id = self._going_on(len(new))
        for place, message in new:
            open_id = self._put(open_id, place, message)
        row = self._db.execute("SELECT closes_at FROM batches WHERE id = ?", (open_id,)).fetchone()
        return Kept(self._space, len(new), row and maybe_time(row["closes_at"]), tuple(self._closed))

    def _tail(self) -> list[Turn]:
        """The session's last turns; none where it begins."""
        scope = self._heard.scope
        rows = self._db.execute(
            "SELECT * FROM turns WHERE space = ? AND session_id = ? ORDER BY number DESC LIMIT ?",
            (self._space, scope.session_id, LOOKS_BACK),
        ).fetchall()
        return [turn(row, scope.user_id) for row in reversed(rows)]

    def _new(self, tail: Sequence[Turn]) -> list[tuple[int, Message]]:
        """The messages, with their places, that are not there already, and were not erased before."""
        heard = self._heard
        known = heard.known(heard.messages, tail)
        gone = buried(self._db, self._space, heard.messages, heard.received_at)
        return [(i, message) for i, message in enumerate(heard.messages) if i >= known and i not in gone]

    def _close_others(self) -> None:
        """Close the user's other conversations, as far as they are answered, so that this one, which begins, soon knows them."""
        for batch_id in _open(self._db, "space = ?", [self._space]):
            if self._turns(batch_id)[-1].role is Role.ASSISTANT:
                self._close(batch_id)

    def _going_on(self, coming: int) -> str | None:
        """The open batch to go on with; one that is full, idle, or of other metadata is closed."""
        heard = self._heard
        row = self._db.execute(
            "SELECT * FROM batches WHERE space = ? AND session_id = ? AND status = 'open'",
            (self._space, heard.scope.session_id),
        ).fetchone()
        if row is None:
            return None
        turns = self._turns(row["id"])
        idle = row["closes_at"] is not None and row["closes_at"] <= to_micros(heard.received_at)
        alike = row["agent_id"] == heard.scope.agent_id and json.loads(row["options"]) == self._options()
        if idle or not alike or heard.full(turns) or len(turns) + coming > heard.most:
            self._close(row["id"])
            return None
        return str(row["id"])

    def _put(self, open_id: str | None, place: int, message: Message) -> str | None:
        """A message at the end of the open batch, which is closed where it is full then."""
        heard = self._heard
        batch_id = open_id or self._opened()
        number = self._db.execute("SELECT first_turn FROM chunks WHERE batch_id = ?", (batch_id,)).fetchone()[
            "first_turn"
        ] + len(self._turns(batch_id))
        insert_messages(self._db, self._space, batch_id, heard, [message], number)
        self._note(batch_id, place)
        turns = self._turns(batch_id)
        if heard.full(turns) or len(turns) == heard.most:
            self._close(batch_id)
            return None
        return batch_id

    def _opened(self) -> str:
        heard, batch_id = self._heard, new_id("batch")
        self._db.execute(
            "INSERT INTO batches (id, space, agent_id, session_id, status, created_at, infer, options, digest)"
            " VALUES (?, ?, ?, ?, 'open', ?, 1, ?, '')",
            (
                batch_id,
                self._space,
                heard.scope.agent_id,
                heard.scope.session_id,
                to_micros(heard.received_at),
                dump(self._options()),
            ),
        )
        last = self._db.execute(
            "UPDATE users SET last_turn = last_turn + ? WHERE space = ? RETURNING last_turn", (heard.most, self._space)
        ).fetchone()["last_turn"]
        self._db.execute(
            "INSERT INTO chunks VALUES (?, 0, ?, ?, ?, 'open', NULL, NULL, NULL, 0)",
            (batch_id, self._space, last - heard.most + 1, last),
        )
        return batch_id

    def _note(self, batch_id: str, place: int) -> None:
        """When it closes by itself, and what was redacted of the message at a place of the call, now its last one."""
        heard, last = self._heard, len(self._turns(batch_id)) - 1
        row = self._db.execute("SELECT redacted FROM batches WHERE id = ?", (batch_id,)).fetchone()
        marks = [*json.loads(row["redacted"]), *((kind, last) for kind, at in heard.redacted if at == place)]
        until = None if heard.idle is None else heard.received_at + heard.idle
        self._db.execute(
            "UPDATE batches SET closes_at = ?, redacted = ? WHERE id = ?", (maybe_micros(until), dump(marks), batch_id)
        )

    def _close(self, batch_id: str) -> None:
        self._closed += close_open(self._db, "id = ?", (batch_id,))

    def _turns(self, batch_id: str) -> tuple[Turn, ...]:
        rows = self._db.execute("SELECT * FROM turns WHERE batch_id = ? ORDER BY number", (batch_id,))
        return tuple(turn(row, self._heard.scope.user_id) for row in rows)

    def _options(self) -> dict[str, object]:
        heard = self._heard
        return {
            "metadata": dict(heard.metadata),
            "expires_at": None,
            "instructions": heard.instructions,
            "talk": True,
        }
