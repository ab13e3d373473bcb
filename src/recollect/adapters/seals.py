"""A digest of each row with content or history, so that `verify` sees what SQLite cannot: a flipped bit in a text, a lost row.

Triggers of the writing connection keep them, so no statement can forget to. They are temporary: another program's
connection does without, and what it alters is found as damage is. A row whose digest does not fit any more is never sealed
anew by an update, which would hide the damage.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from hashlib import blake2b

# Table → its key among the user's rows. Of a batch only what the call said is sealed, not how far it is.
KEYS: Mapping[str, tuple[str, ...]] = {
    "turns": ("number",),
    "statements": ("number",),
    "passages": ("number",),
    "memory_rows": ("number",),
    "sources": ("number",),
    "changes": ("number",),
    "entities": ("number",),
    "hidings": ("turn", "added"),
    "identities": ("one", "other", "added"),
    "batches": ("id",),
}
_MUTABLE = {"batches": ("status", "finished_at", "attempts", "error", "lease_owner", "lease_until", "closes_at")}

_TRIGGERS = """
    CREATE TEMP TRIGGER seal_new_{table} AFTER INSERT ON main.{table} BEGIN
      INSERT OR REPLACE INTO seals VALUES (NEW.space, '{table}', {new_key}, {new_seal});
    END;
    CREATE TEMP TRIGGER seal_{table} AFTER UPDATE OF {columns} ON main.{table} BEGIN
      UPDATE seals SET seal = {new_seal}
      WHERE space = OLD.space AND sealed = '{table}' AND key = {old_key} AND seal = {old_seal};
    END;
    CREATE TEMP TRIGGER unseal_{table} AFTER DELETE ON main.{table} BEGIN
      DELETE FROM seals WHERE space = OLD.space AND sealed = '{table}' AND key = {old_key};
    END;
"""
_COUNT_UNCHANGED = """
    CREATE TEMP TRIGGER count_unchanged AFTER UPDATE OF revision ON main.users WHEN NEW.revision > OLD.revision BEGIN
      UPDATE users SET unchanged = unchanged + NEW.revision - OLD.revision
        - (SELECT count(*) FROM changes WHERE space = NEW.space AND number > OLD.revision AND number <= NEW.revision)
      WHERE space = NEW.space;
    END;
"""

Columns = list[tuple[str, str]]
"""(name, type) of a table's sealed columns."""


def seal(*values: object) -> bytes:
    """64 bits over a row's values. Texts come as bytes, for a damaged one may not be UTF-8; each with its length before it."""
    told = [b"%d:%b" % (len(one), one) if isinstance(one, bytes) else b"%a;" % (one,) for one in values]
    return blake2b(b"".join(told), digest_size=8).digest()


def install_function(connection: sqlite3.Connection) -> None:
    """Make `seal(…)` known to a connection's SQL."""
    connection.create_function("seal", -1, seal, deterministic=True)


def install_triggers(connection: sqlite3.Connection) -> None:
    """Have everything that the connection writes sealed, and numbers that go to no change counted."""
    connection.executescript("".join(_triggers(connection, table) for table in KEYS) + _COUNT_UNCHANGED)


def _triggers(connection: sqlite3.Connection, table: str) -> str:
    columns = columns_of(connection, table)
    return _TRIGGERS.format(
        table=table,
        columns=", ".join(name for name, _ in columns),
        new_key=key(table, "NEW"),
        old_key=key(table, "OLD"),
        new_seal=sealed(columns, "NEW"),
        old_seal=sealed(columns, "OLD"),
    )


def columns_of(connection: sqlite3.Connection, table: str) -> Columns:
    """A table's columns that are sealed."""
    known = connection.execute(f"PRAGMA table_info({table})")
    return [(row[1], row[2]) for row in known if row[1] not in _MUTABLE.get(table, ())]


def sealed(columns: Columns, row: str) -> str:
    """The SQL of the digest of `row`: an alias, NEW or OLD."""
    values = [f"CAST({row}.{name} AS BLOB)" if kind == "TEXT" else f"{row}.{name}" for name, kind in columns]
    return f"seal({', '.join(values)})"


def key(table: str, row: str) -> str:
    """The SQL of the key of `row` among the user's; without a column's affinity (+), or no index would be used."""
    return " || '/' || ".join(f"+{row}.{part}" for part in KEYS[table])
