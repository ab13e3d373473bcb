"""Open chunks: conversations that come message by message, journalled at once and closed later."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..failpoints import reach
from ..ids import new_id
from ..model import Message, Role
from ..records import Kept, NewTurns, Space
from ..times import maybe_micros, maybe_time, to_micros
from .codec import dump
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


@dataclass(slots=True)
class _OpenBatch:
    """The number of its `first` turn, what was `said` in it, and whether it has `grown`, which is to be noted."""

    id: str
    first: int
    said: list[Message] = field(default_factory=list)
    closes_at: int | None = None
    redacted: list[tuple[str, int]] = field(default_factory=list)  # kind and place
    grown: bool = False


class _Hearing:
    """One `hear`, step by step, within its transaction."""

    def __init__(self, db: sqlite3.Connection, heard: NewTurns) -> None:
        self._db, self._heard = db, heard
        self._space = ensure_space(db, heard.scope.user_id)
        self._closed: list[str] = []
        self._open: _OpenBatch | None = None  # the session's

    def kept(self) -> Kept:
        tail = self._tail()
        new = self._new(tail)
        if new and not tail:
            self._close_others()
        self._going_on(len(new))
        for place, message in new:
            self._put(place, message)
        self._note()
        closes_at = None if self._open is None else maybe_time(self._open.closes_at)
        return Kept(self._space, len(new), closes_at, tuple(self._closed))

    def _tail(self) -> list[Message]:
        """The session's last turns, back to where the user's last ones begin; none where the session does."""
        rows = self._db.execute(
            "SELECT role, content FROM turns WHERE space = ? AND session_id = ? ORDER BY number DESC LIMIT ?",
            (self._space, self._heard.scope.session_id, LOOKS_BACK),
        )
        tail: deque[Message] = deque()
        for row in rows:
            one = _said(row)
            if tail and tail[0].role is Role.USER is not one.role:
                break
            tail.appendleft(one)
        return [*tail]

    def _new(self, tail: Sequence[Message]) -> list[tuple[int, Message]]:
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
        said, redacted = self._turns(row["id"]), json.loads(row["redacted"])
        self._open = _OpenBatch(row["id"], row["first_turn"], said, row["closes_at"], redacted)
        idle = row["closes_at"] is not None and row["closes_at"] <= to_micros(heard.received_at)
        alike = row["agent_id"] == heard.scope.agent_id and json.loads(row["options"]) == self._options()
        if idle or not alike or heard.full(said) or len(said) + coming > heard.most:
            self._close_own()

    def _put(self, place: int, message: Message) -> None:
        """A message at the end of the open batch, which is closed where it is full then."""
        heard = self._heard
        batch = self._open = self._open or self._opened()
        insert_messages(self._db, self._space, batch.id, heard, [message], batch.first + len(batch.said))
        batch.redacted += [(kind, len(batch.said)) for kind, at in heard.redacted if at == place]
        batch.said.append(message)
        batch.grown = True
        if heard.full(batch.said) or len(batch.said) == heard.most:
            self._close_own()

    def _opened(self) -> _OpenBatch:
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
        first = last - heard.most + 1
        self._db.execute(
            "INSERT INTO chunks VALUES (?, 0, ?, ?, ?, 'open', NULL, NULL, NULL, 0)",
            (batch_id, self._space, first, last),
        )
        return _OpenBatch(batch_id, first)

    def _note(self) -> None:
        """When the open batch closes by itself, and what was redacted in it."""
        batch, heard = self._open, self._heard
        if batch is None or not batch.grown:
            return
        batch.closes_at = maybe_micros(None if heard.idle is None else heard.received_at + heard.idle)
        self._db.execute(
            "UPDATE batches SET closes_at = ?, redacted = ? WHERE id = ?",
            (batch.closes_at, dump(batch.redacted), batch.id),
        )

    def _close_own(self) -> None:
        """Close the session's own; the next message opens another."""
        self._note()
        if self._open is not None:
            self._close(self._open.id)
        self._open = None

    def _close(self, batch_id: str) -> None:
        self._closed += close_open(self._db, "id = ?", (batch_id,))

    def _turns(self, batch_id: str) -> list[Message]:
        rows = self._db.execute("SELECT role, content FROM turns WHERE batch_id = ? ORDER BY number", (batch_id,))
        return [_said(row) for row in rows]

    def _options(self) -> dict[str, object]:
        heard = self._heard
        return {
            "metadata": dict(heard.metadata),
            "expires_at": None,
            "instructions": heard.instructions,
            "talk": True,
        }


def _said(row: sqlite3.Row) -> Message:
    return Message(Role(row["role"]), row["content"])
