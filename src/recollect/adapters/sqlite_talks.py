"""Open chunks: conversations that come message by message, journalled at once and closed later."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
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
        self._open: str | None = None  # the session's open batch, the number of its first turn, and its turns
        self._first, self._said = 0, list[Turn]()

    def kept(self) -> Kept:
        tail = self._tail()
        new = self._new(tail)
        if new and not tail:
            self._close_others()
        self._going_on(len(new))
        for place, message in new:
            self._put(place, message)
        row = self._db.execute("SELECT closes_at FROM batches WHERE id = ?", (self._open,)).fetchone()
        return Kept(self._space, len(new), row and maybe_time(row["closes_at"]), tuple(self._closed))

    def _tail(self) -> list[Turn]:
        """The session's last turns, back to where the user's last ones begin; none where the session does."""
        scope = self._heard.scope
        rows = self._db.execute(
            "SELECT * FROM turns WHERE space = ? AND session_id = ? ORDER BY number DESC LIMIT ?",
            (self._space, scope.session_id, LOOKS_BACK),
        )
        tail: deque[Turn] = deque()
        for row in rows:
            one = turn(row, scope.user_id)
            if tail and tail[0].role is Role.USER is not one.role:
                break
            tail.appendleft(one)
        return [*tail]

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

    def _going_on(self, coming: int) -> None:
        """The open batch to go on with; one that is full, idle, or of other metadata is closed."""
        heard = self._heard
        row = self._db.execute(
            "SELECT b.*, c.first_turn FROM batches b JOIN chunks c ON c.batch_id = b.id"
            " WHERE b.space = ? AND b.session_id = ? AND b.status = 'open'",
            (self._space, heard.scope.session_id),
        ).fetchone()
        if row is None:
            return
        self._open, self._first, self._said = row["id"], row["first_turn"], self._turns(row["id"])
        idle = row["closes_at"] is not None and row["closes_at"] <= to_micros(heard.received_at)
        alike = row["agent_id"] == heard.scope.agent_id and json.loads(row["options"]) == self._options()
        if idle or not alike or heard.full(self._said) or len(self._said) + coming > heard.most:
            self._close_own(self._open)

    def _put(self, place: int, message: Message) -> None:
        """A message at the end of the open batch, which is closed where it is full then."""
        heard, batch_id = self._heard, self._open or self._opened()
        number = self._first + len(self._said)
        insert_messages(self._db, self._space, batch_id, heard, [message], number)
        self._note(batch_id, place)
        row = self._db.execute("SELECT * FROM turns WHERE space = ? AND number = ?", (self._space, number)).fetchone()
        self._said.append(turn(row, heard.scope.user_id))
        if heard.full(self._said) or len(self._said) == heard.most:
            self._close_own(batch_id)

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
        self._open, self._first, self._said = batch_id, last - heard.most + 1, []
        self._db.execute(
            "INSERT INTO chunks VALUES (?, 0, ?, ?, ?, 'open', NULL, NULL, NULL, 0)",
            (batch_id, self._space, self._first, last),
        )
        return batch_id

    def _note(self, batch_id: str, place: int) -> None:
        """When it closes by itself, and what was redacted of the message at a place of the call, which comes last in it."""
        heard = self._heard
        row = self._db.execute("SELECT redacted FROM batches WHERE id = ?", (batch_id,)).fetchone()
        own = ((kind, len(self._said)) for kind, at in heard.redacted if at == place)
        until = None if heard.idle is None else heard.received_at + heard.idle
        self._db.execute(
            "UPDATE batches SET closes_at = ?, redacted = ? WHERE id = ?",
            (maybe_micros(until), dump([*json.loads(row["redacted"]), *own]), batch_id),
        )

    def _close_own(self, batch_id: str) -> None:
        """Close the session's own; the next message opens another."""
        self._close(batch_id)
        self._open = None

    def _close(self, batch_id: str) -> None:
        self._closed += close_open(self._db, "id = ?", (batch_id,))

    def _turns(self, batch_id: str) -> list[Turn]:
        rows = self._db.execute("SELECT * FROM turns WHERE batch_id = ? ORDER BY number", (batch_id,))
        return [turn(row, self._heard.scope.user_id) for row in rows]

    def _options(self) -> dict[str, object]:
        heard = self._heard
        return {
            "metadata": dict(heard.metadata),
            "expires_at": None,
            "instructions": heard.instructions,
            "talk": True,
        }
