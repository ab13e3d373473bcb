"""What is remembered of what was erased: HMACs under the store's own secret, good for recognising it and for nothing else."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from ..model import Message
from ..records import Space
from ..times import to_micros

ERASED = "erased:"  # begins no user's name in the ledger, and no idempotency key that is not one of ours


def erased_name(db: sqlite3.Connection, name: str) -> str:
    """The ledger's name of a user who was erased."""
    return ERASED + _digest(_secret(db), "user", name)


def erased_key(db: sqlite3.Connection, space: Space, key: str) -> str:
    """What stands for the idempotency key of a batch that was erased."""
    return ERASED + _digest(_secret(db), "key", str(space), key)


def imported_id(db: sqlite3.Connection, name: str, kind: str, identifier: str) -> str:
    """The id that something of an import gets whose own is another user's, or is to stay unknown: the same every time."""
    return f"{kind}_{_digest(_secret(db), 'import', name, identifier)}"


def bury(db: sqlite3.Connection, space: Space, texts: Iterable[str], before: int) -> None:
    """Know turns again by their texts, in messages dated before then."""
    secret = _secret(db)
    db.executemany(
        "INSERT INTO tombstones VALUES (?, ?, ?)"
        " ON CONFLICT (space, digest) DO UPDATE SET before = max(before, excluded.before)",
        [(space, _of_turn(secret, space, text), before) for text in texts],
    )


def buried(db: sqlite3.Connection, space: Space, messages: Sequence[Message], received_at: datetime) -> set[int]:
    """Places of messages that were erased, of those dated before that erasure."""
    if not db.execute("SELECT erased_at FROM users WHERE space = ?", (space,)).fetchone()["erased_at"]:
        return set()
    secret, found = _secret(db), set()
    for place, message in enumerate(messages):
        row = db.execute(
            "SELECT before FROM tombstones WHERE space = ? AND digest = ?",
            (space, _of_turn(secret, space, message.content)),
        ).fetchone()
        if row is not None and to_micros(message.timestamp or received_at) < row["before"]:
            found.add(place)
    return found


def _secret(db: sqlite3.Connection) -> bytes:
    return bytes.fromhex(db.execute("SELECT value FROM store WHERE key = 'secret'").fetchone()["value"])


def _of_turn(secret: bytes, space: Space, content: str) -> str:
    return _digest(secret, "turn", str(space), content)


def _digest(secret: bytes, kind: str, *texts: str) -> str:
    """128 bits in hex."""
    return hmac.digest(secret, "\0".join((kind, *texts)).encode(), "sha256").hex()[:32]
